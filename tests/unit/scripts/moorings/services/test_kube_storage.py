"""Where volumes come from, by a client of the cluster that only records."""

import json
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.errors import NeedError
from moorings.runner import Command, Result
from moorings.services import kube_storage
from moorings.services.kubectl import Kubectl, Raw


class Client(RecordingRunner):
    """Has classes and a claim, and lets them be listed or not."""

    def __init__(self, *classes: Raw, claim: str = "", may: bool = True) -> None:
        super().__init__()
        self.classes, self.claim, self.may = list(classes), claim, may

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        if command.argv[1] == "auth":
            return Result(0 if self.may else 1)
        if command.argv[2] == "storageclasses":
            return Result(0, json.dumps({"items": self.classes}))
        return Result(0, json.dumps({"status": {"phase": self.claim}}) if self.claim else "")


@pytest.fixture(autouse=True)
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubectl").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def storage_class(name: str, default: bool) -> Raw:
    key = "storageclass.kubernetes.io/is-default-class"
    return {"metadata": {"name": name, "annotations": {key: str(default).lower()}}}


def postgres(**spec: str) -> Raw:
    claim = {"metadata": {"name": "orders"}, "spec": spec}
    return {"kind": "StatefulSet", "metadata": {"name": "postgres"},
            "spec": {"volumeClaimTemplates": [claim]}}  # fmt: skip


def require(client: Client, **spec: str) -> None:
    kube_storage.require(Kubectl(client, {}), [postgres(**spec)])


SLOW, FAST = storage_class("slow", default=False), storage_class("fast", default=True)


def test_a_default_one_does() -> None:
    require(Client(SLOW, FAST))


def test_without_a_default_one_the_place_is_named_that_names_another() -> None:
    with pytest.raises(NeedError, match="no default StorageClass; it has slow") as missing:
        require(Client(SLOW))
    assert "storageClassName" in missing.value.hint
    assert "deploy/k8s/components/postgres/statefulset.yaml" in missing.value.hint


def test_one_that_the_manifests_name_is_honoured() -> None:
    require(Client(SLOW), storageClassName="slow")
    with pytest.raises(NeedError, match="no StorageClass slwo; it has slow"):
        require(Client(SLOW), storageClassName="slwo")


def test_what_has_its_volume_needs_none() -> None:
    require(Client(claim="Bound"))
    with pytest.raises(NeedError, match="it has none at all"):
        require(Client(claim="Pending"))


def test_who_may_not_look_finds_out_from_the_claim() -> None:
    require(Client(may=False))


def test_the_place_is_there() -> None:
    root = Path(__file__).resolve().parents[5]
    file = root / kube_storage.PLACE.split()[-1]
    assert "volumeClaimTemplates" in file.read_text()
