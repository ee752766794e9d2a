"""What a pod is asked for, by a client of the cluster that only records."""

import json
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.runner import Command, Result
from moorings.services.kube_fleet import Fleet
from moorings.services.kubectl import Kubectl

READY = {"metadata": {"name": "gateway-1"}, "status": {
    "conditions": [{"type": "Ready", "status": "True"}]}}  # fmt: skip


class Client(RecordingRunner):
    """Has one pod that is ready, in which a command ends with this status."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        if command.argv[1] == "exec":
            return Result(self.status)
        return Result(0, json.dumps({"items": [READY]}))


@pytest.fixture(autouse=True)
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubectl").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.parametrize(
    ("status", "reached"),
    [(0, True), (1, False), (124, False)],
    ids=["accepted", "refused", "no answer within the time"],
)
def test_a_connection_is_tried_from_within_a_pod(status: int, reached: bool) -> None:
    client = Client(status)
    assert Fleet(Kubectl(client, {}), Path()).reaches("gateway", "postgres", 5432) is reached
    assert client.argvs[-1] == [
        "kubectl", "exec", "gateway-1", "--", "timeout", "3", "bash", "-c",
        "exec 3<>/dev/tcp/postgres/5432",
    ]  # fmt: skip
