"""What the gateway of a Compose project is told, and who waits behind it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.errors import CommandError
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


def test_by_hand_it_is_told_what_moor_tells_it() -> None:
    file = Path(__file__).parents[5] / "deploy" / "docker" / "gateway.conf"
    by_hand = told(file.read_text().replace("100m", str(100 * 2**20)))
    assert len(by_hand) > 15
    assert by_hand <= told(configuration(Server()))


def told(text: str) -> set[str]:
    """Return what a file of nginx says, without comments, quotes and line ends."""
    plain = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE).replace('"', "")
    return {" ".join(one.split()) for one in re.split("[;{}]", plain)} - {""}


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
        rows = [f"{10 + ('new' in one)} 9 101 4 {WORKER}{one[3:]}" for one in now]
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
    gateway._announced(Container({"Id": "0123456789abcdef", "State": {"Pid": 9}}))
    words = [argv[1] for argv in client.argvs]
    assert words == ["top", "kill", "top", "top", "top"]
    assert client.flagged == [True] * 5
    assert not client.drain.exists()


class Serving(RecordingRunner):
    """A gateway that runs, whose nginx takes or refuses its files."""

    def __init__(self, refuses: bool = False) -> None:
        super().__init__()
        state, labels = {"Running": True, "Pid": 9}, {"com.docker.compose.service": "gateway"}
        one = {"Id": "0123456789abcdef", "Config": {"Labels": labels}, "State": state}
        self.said = {"ps": Result(0, "0123"), "inspect": Result(0, json.dumps([one]))}
        self.refuses = refuses

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        if command.argv[1] == "exec" and self.refuses:
            raise CommandError("nginx: [emerg] unknown directive")
        if command.argv[1] == "top":
            hups = sum("HUP" in argv for argv in self.argvs)
            return Result(0, f"PID\n9 1 101 4 nginx\n{10 + hups} 9 101 4 {WORKER}")
        return self.said.get(command.argv[1], Result(0))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of nginx in a checkout."""
    (tmp_path / "docker").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    files = tmp_path / "deploy" / "parts" / "nginx"
    files.mkdir(parents=True)
    for name in ("nginx.conf", "app.conf", "local.conf"):
        (files / name).write_text("old")
    return files


def gateway(client: RecordingRunner, checkout: Path) -> ComposeGateway:
    layout = Layout(checkout.parents[2], checkout.parents[2] / "state", "x")
    made = ComposeGateway(Project(Engine(client, layout, {}), {}), Server(keep_alive=1))
    made.project.prepare()
    made.prepare()
    return made


def reloads(client: RecordingRunner) -> int:
    return sum("HUP" in argv for argv in client.argvs)


def test_changed_files_of_the_checkout_are_taken_in_by_a_deploy_alone(checkout: Path) -> None:
    client = Serving()
    made = gateway(client, checkout)
    has = made.project.gateway.with_name("app.conf")
    (checkout / "app.conf").write_text("new")
    made.prepare()
    assert has.read_text() == "old"
    made.put()
    assert (has.read_text(), reloads(client)) == ("new", 1)
    made.put()
    assert reloads(client) == 1
    assert made.project.gateway.read_text() == configuration(made.server)


def test_files_that_nginx_refuses_are_those_of_before_again(checkout: Path) -> None:
    client = Serving(refuses=True)
    made = gateway(client, checkout)
    (checkout / "app.conf").write_text("broken")
    with pytest.raises(CommandError, match="unknown directive"):
        made.put()
    assert made.project.gateway.with_name("app.conf").read_text() == "old"
    assert reloads(client) == 0


@pytest.mark.parametrize("word", ["top", "kill"])
def test_files_that_were_not_taken_in_are_told_to_it_the_next_time(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    client = Serving()
    made = replace(gateway(client, checkout), server=Server(keep_alive=0))
    (checkout / "app.conf").write_text("new")
    finish = client.finish

    def stopped(command: Command) -> Result:
        said = finish(command)
        if command.argv[1] == word:
            raise KeyboardInterrupt
        return said

    with monkeypatch.context() as patch:
        patch.setattr(client, "finish", stopped)
        with pytest.raises(KeyboardInterrupt):
            made.put()
    has = made.project.gateway.with_name("app.conf")
    assert has.read_text() == "old"
    before = reloads(client)
    # Also where the change itself was taken back, as nginx may have it by now.
    (checkout / "app.conf").write_text("old")
    made.put()
    assert reloads(client) == before + 1


def test_a_question_that_fails_does_not_say_that_nobody_waits(checkout: Path) -> None:
    client = Serving()
    made = gateway(client, checkout)
    assert made.quiet("gateway")
    client.said["exec"] = Result(1, "Error response from daemon: cannot exec")
    assert not made.quiet("gateway")
