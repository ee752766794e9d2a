"""A Job that is waited for, by a client of the cluster that only records."""

import json
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.errors import CommandError
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
