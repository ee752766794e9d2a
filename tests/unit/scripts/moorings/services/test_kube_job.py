"""A Job that is waited for, by a client of the cluster that only records."""

import json
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.errors import CommandError, NotReadyError
from moorings.runner import Command, Result
from moorings.services.kube_job import Job
from moorings.services.kubectl import Kubectl, Raw

NO_ROOM = "exceeded quota: small, requested: pods=1, used: pods=6, limited: pods=6"


class Client(RecordingRunner):
    """Answers by the kind of what is asked for."""

    def __init__(self, **said: Raw) -> None:
        super().__init__()
        self.said = said

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        words = command.argv[3:]
        found = self.said.get(words[1]) if words[0] == "get" else None
        return Result(0, json.dumps(found) if found else "")


@pytest.fixture(autouse=True)
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubectl").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def run(client: Client, folder: Path) -> None:
    raw = {"metadata": {"name": "migration-1"}}
    Job(Kubectl(client, {}, namespace="shop"), raw).run(folder / "job.json", timeout=60)


def test_one_that_is_complete_is_done(tmp_path: Path) -> None:
    run(Client(job={"status": {"conditions": [{"type": "Complete", "status": "True"}]}}), tmp_path)


def test_one_whose_pod_is_refused_ends_at_once_with_the_reason(tmp_path: Path) -> None:
    event = {"metadata": {"resourceVersion": "1"}, "message": f"pods is forbidden: {NO_ROOM}"}
    client = Client(job={"metadata": {"name": "migration-1", "uid": "u"}}, events=event)
    with pytest.raises(CommandError, match="the quota small has no room: requested") as refused:
        run(client, tmp_path)
    assert refused.value.hint.startswith("kubectl --namespace shop describe quota")


class Pressed(Client):
    """Ctrl-C comes as it is looked at."""

    def finish(self, command: Command) -> Result:
        found = super().finish(command)
        if command.argv[3:5] == ("get", "job") and any("apply" in argv for argv in self.argvs):
            raise KeyboardInterrupt
        if "delete" in command.argv and "delete" in self.said:
            raise CommandError("the cluster does not answer")
        return found


STOP = [
    "delete", "job", "migration-1", "--ignore-not-found", "--cascade=foreground", "--wait=false",
]  # fmt: skip


@pytest.mark.parametrize("answers", [True, False])
def test_ctrl_c_leaves_none_running_and_a_failure_of_that_hides_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answers: bool
) -> None:
    client = Pressed() if answers else Pressed(delete={})
    with pytest.raises(KeyboardInterrupt):
        run(client, tmp_path)
    assert client.argvs[-1][3:] == STOP
    assert ("migration-1 may run on: the cluster" in capsys.readouterr().err) is not answers


def test_one_that_does_not_end_in_time_is_removed(tmp_path: Path) -> None:
    client = Client(job={"metadata": {"name": "migration-1"}})
    raw = {"metadata": {"name": "migration-1"}}
    with pytest.raises(NotReadyError):
        Job(Kubectl(client, {}, namespace="shop"), raw).run(tmp_path / "job.json", timeout=0)
    assert client.argvs[-1][3:] == STOP
