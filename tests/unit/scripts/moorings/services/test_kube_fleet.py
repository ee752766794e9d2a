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


def _pod(*began: str) -> dict[str, object]:
    states = [{"state": {"running": {"startedAt": one}} if one else {}} for one in began]
    return {"status": {"containerStatuses": states}}


def test_pods_grow_as_old_as_their_newest_container(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, clock = "2026-11-30T23:59:55Z", "2026-12-01T00:00:00Z", [1_796_083_201.0]
    pods = [_pod(old), _pod(old, new), _pod(""), {"status": {}}]

    class Grown(RecordingRunner):
        def finish(self, command: Command) -> Result:
            return Result(0, json.dumps({"items": pods}))

    def later(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr("time.time", lambda: clock[0])
    monkeypatch.setattr("time.sleep", later)
    Fleet(Kubectl(Grown(), {}), Path()).aged(11)
    assert clock[0] == pytest.approx(1_796_083_200.0 + 11.5, abs=0.6)
