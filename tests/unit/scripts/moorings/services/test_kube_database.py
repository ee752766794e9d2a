"""How PostgreSQL in a pod is asked past the app, by a client of the cluster that only records."""

import json
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.errors import CommandError
from moorings.runner import Command, Result
from moorings.services.kube_database import KubeDatabase
from moorings.services.kubectl import Kubectl


def pod(uid: str) -> Result:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    return Result(0, json.dumps({"metadata": {"name": "postgres-0", "uid": uid}, "status": ready}))


class Client(RecordingRunner):
    """Answers by the first word after `kubectl`; of several answers the last one stays."""

    def __init__(self, **said: list[Result]) -> None:
        super().__init__()
        self.said = said

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        answers = self.said.get(command.argv[1], [Result(0)])
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture(autouse=True)
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubectl").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def database(client: Client) -> KubeDatabase:
    return KubeDatabase(Kubectl(client, {}))


def test_rows_are_asked_for_by_the_role_that_may_change_no_table() -> None:
    client = Client(exec=[Result(0, "a\x1fb\nc\x1fd\n")])
    assert database(client).rows("SELECT a, b FROM c") == [["a", "b"], ["c", "d"]]
    assert client.argvs[-1][:6] == [
        "kubectl", "exec", "postgres-0", "--", "env", "PGOPTIONS=-c role=app",
    ]  # fmt: skip


def test_what_postgresql_refuses_is_no_empty_answer() -> None:
    client = Client(exec=[Result(1, "permission denied for table orders")])
    with pytest.raises(CommandError, match="refuses") as refused:
        database(client).rows("SELECT 1")
    assert "permission denied" in refused.value.log


def test_a_restart_waits_for_another_pod_of_the_same_name() -> None:
    client = Client(get=[pod("old"), pod("old"), Result(0), pod("new")])
    database(client).restart()
    assert [words[1] for words in client.argvs] == ["get", "delete", "get", "get", "get"]


def test_one_without_a_process_on_this_machine_has_none() -> None:
    assert database(Client(get=[Result(0)])).process() == 0
    assert database(Client(get=[pod("old")])).process() == 0
