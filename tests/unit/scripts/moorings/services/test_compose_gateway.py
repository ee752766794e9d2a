"""What the gateway of a Compose project is told, and who waits behind it."""

from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.layout import Layout
from moorings.runner import Command, Result
from moorings.services.compose import Project
from moorings.services.compose_gateway import WORKER, ComposeGateway, _waits, configuration
from moorings.services.containers import Container
from moorings.services.engine import Engine
from moorings.settings import Server


def test_it_listens_inside_and_knows_both_colours() -> None:
    lines = configuration(Server(max_body=5, proxy_hops=1)).splitlines()
    assert "listen 8080 backlog=2048;" in lines
    assert "listen 0.0.0.0:8081;" in lines
    assert 'set $green "green:8000";' in lines
    assert "client_max_body_size 5;" in lines
    assert 'set $hops "1";' in lines


def test_a_change_of_the_settings_is_another_configuration() -> None:
    assert configuration(Server()) != configuration(Server(keep_alive=6))


def test_only_a_listening_socket_has_a_queue_of_clients() -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when"
    assert not _waits(head)
    assert _waits("   0: 00000000:1F40 00000000:0000 0A 00000000:00000003 00:00000000")
    assert not _waits("   0: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000")
    # Of a connection it is bytes.
    assert not _waits("   1: 0200000A:1F40 0300000A:8D2E 01 00000000:00000010 00:00000000")


class Nginx(RecordingRunner):
    """A gateway whose old worker serves on for a while after it was told to reload."""

    def __init__(self, drain: Path) -> None:
        super().__init__()
        self.drain = drain
        self.tops = [["old"], ["old"], ["old", "new"], ["old ends", "new"]]
        self.flagged: list[bool] = []

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        self.flagged.append(self.drain.exists())
        if command.argv[1] != "top":
            return Result(0)
        now = self.tops.pop(0)
        rows = [f"{10 + ('new' in one)} 1 101 4 {WORKER}{one[3:]}" for one in now]
        rows = [row.replace(" ends", " is shutting down") for row in rows]
        return Result(0, "\n".join(["PID PPID USER RSS COMMAND", "9 1 101 4 nginx: master", *rows]))


def test_its_drain_is_announced_until_the_old_workers_take_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    layout = Layout(tmp_path, tmp_path, "x")
    client = Nginx(layout.home / "compose" / "flags" / "drain")
    client.drain.parent.mkdir(parents=True)
    project = Project(Engine(client, layout, {}), {})
    gateway = ComposeGateway(project, Server(keep_alive=1))
    gateway._announced(Container({"Id": "0123456789abcdef"}))
    words = [argv[1] for argv in client.argvs]
    assert words == ["top", "kill", "top", "top", "top"]
    assert client.flagged == [True] * 5
    assert not client.drain.exists()
