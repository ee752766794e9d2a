"""What outlives a deploy, by a client of the cluster that only records."""

import json
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.errors import CommandError
from moorings.runner import Command, Result
from moorings.services.kube_beside import Beside
from moorings.services.kubectl import Kubectl, Raw


def postgres(image: str, limit: str = "1Gi", replicas: int = 1) -> Raw:
    container = {"image": image, "resources": {"limits": {"memory": limit}}}
    spec = {"replicas": replicas, "template": {"spec": {"containers": [container]}}}
    return {"kind": "StatefulSet", "metadata": {"name": "postgres"}, "spec": spec}


SERVICE: Raw = {"kind": "Service", "metadata": {"name": "postgres"}}


class Client(RecordingRunner):
    """Has a workload, or none, and would make of an object what it is handed."""

    def __init__(self, now: Raw | None, status: int = 0) -> None:
        super().__init__()
        self.now, self.status = now, status

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        if command.argv[1] == "apply":
            assert "--dry-run=server" in command.argv
            file = Path(command.argv[command.argv.index("--filename") + 1])
            return Result(self.status, file.read_text())
        return Result(self.status, json.dumps(self.now) if self.now else "")


@pytest.fixture(autouse=True)
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubectl").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def changed(now: Raw | None, then: Raw, folder: Path) -> list[str]:
    beside = Beside(Kubectl(Client(now), {}), folder)
    return [why for _, why in beside.changed([SERVICE, then])]


def test_what_is_as_it_would_be_made_is_left_alone(tmp_path: Path) -> None:
    assert changed(postgres("a"), postgres("a"), tmp_path) == []
    # Its pods stay as they are.
    assert changed(postgres("a"), postgres("a", replicas=2), tmp_path) == []
    assert changed(None, postgres("a"), tmp_path) == []


def test_why_pods_would_be_made_anew_is_said(tmp_path: Path) -> None:
    assert changed(postgres("a"), postgres("b"), tmp_path) == ["image a -> b"]
    assert changed(postgres("a"), postgres("a", "2Gi"), tmp_path) == ["its manifest"]


def test_what_runs_is_not_applied_again(tmp_path: Path) -> None:
    objects = [SERVICE, postgres("b")]
    there, absent = (Beside(Kubectl(Client(now), {}), tmp_path) for now in (postgres("a"), None))
    assert there.but_running(objects) == [SERVICE]
    assert absent.but_running(objects) == objects


def test_silence_does_not_make_it_anew(tmp_path: Path) -> None:
    silent = Beside(Kubectl(Client(None, status=1), {}), tmp_path)
    with pytest.raises(CommandError, match="does not answer"):
        silent.but_running([postgres("b")])
