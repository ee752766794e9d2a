"""How PostgreSQL is asked past the app, by a client of the engine that only records."""

import json
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.errors import CommandError
from moorings.layout import Layout
from moorings.runner import Command, Result
from moorings.services.compose import Project
from moorings.services.compose_database import ComposeDatabase, place
from moorings.services.engine import Engine


class Client(RecordingRunner):
    """Answers by the first word after `docker`."""

    def __init__(self, runs: bool, said: Result) -> None:
        super().__init__()
        state = {"Running": runs, "Pid": 42 if runs else 0}
        labels = {"com.docker.compose.service": "postgres"}
        one = {"Id": "0123456789abcdef", "Config": {"Labels": labels}, "State": state}
        found = {"ps": Result(0, "0123"), "inspect": Result(0, json.dumps([one])), "exec": said}
        self.said = found

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        return self.said.get(command.argv[1], Result(0))


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    program = tmp_path / "docker"
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return Client(True, Result(0, "a\x1fb\nc\x1fd\n"))


def database(client: Client) -> ComposeDatabase:
    return ComposeDatabase(Project(Engine(client, Layout(Path("/x"), Path("/x"), "x"), {}), {}))


def test_rows_are_asked_for_by_the_role_that_may_change_no_table(client: Client) -> None:
    assert database(client).rows("SELECT a, b FROM c") == [["a", "b"], ["c", "d"]]
    assert client.argvs[-1][:4] == ["docker", "exec", "--env", "PGOPTIONS=-c role=app"]


def test_what_postgresql_refuses_is_no_empty_answer(client: Client) -> None:
    client.said["exec"] = Result(1, "permission denied for table orders")
    with pytest.raises(CommandError, match="refuses") as refused:
        database(client).rows("SELECT 1")
    assert "permission denied" in refused.value.log


def test_it_is_stopped_in_order_and_started_again(client: Client) -> None:
    database(client).restart()
    assert client.argvs[-1] == ["docker", "restart", "--time", "60", "0123456789ab"]


def test_one_that_does_not_run_has_no_process_and_no_rows(client: Client) -> None:
    assert database(client).process() == 42
    stopped = Client(False, Result(0))
    assert database(stopped).process() == 0
    with pytest.raises(CommandError, match="does not run"):
        database(stopped).rows("SELECT 1")


@pytest.mark.parametrize(
    ("volume", "wanted", "why"),
    [
        (Result(1, "Error: No such volume"), "/srv/orders", ""),
        (Result(0, "null\n"), "", ""),
        (Result(0, '{"device": "/srv/orders", "o": "bind"}\n'), "/srv/orders", ""),
        (
            Result(0, "null\n"),
            "/srv/orders",
            "in a volume of the engine, and docker.data says /srv",
        ),
        (
            Result(0, '{"device": "/srv/a"}\n'),
            "",
            "in /srv/a, and docker.data says a volume of the",
        ),
    ],
)
def test_a_setting_that_would_move_the_data_is_refused(
    client: Client, volume: Result, wanted: str, why: str
) -> None:
    client.said["volume"] = volume
    need = place(database(client).project, wanted)
    assert need.there is (not why)
    assert why in need.what
