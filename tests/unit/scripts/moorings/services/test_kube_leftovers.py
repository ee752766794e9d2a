"""What goes with a release, by a client of the cluster that only records."""

import json
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.runner import Command, Result
from moorings.services import kube_leftovers
from moorings.services.kube_leftovers import HASHED, REFER
from moorings.services.kubectl import Kubectl, Raw


class Client(RecordingRunner):
    """Answers by the kind of what is asked for."""

    def __init__(self, said: dict[str, Result]) -> None:
        super().__init__()
        self.said = {"namespace": Result(0, '{"metadata": {}}'), **said}

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        words = command.argv[3:]
        return self.said.get(words[1], Result(0)) if words[0] == "get" else Result(0)

    @property
    def did(self) -> list[str]:
        return [" ".join(words[3:]) for words in self.argvs if words[3] != "get"]


@pytest.fixture(autouse=True)
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubectl").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def listed(*found: Raw) -> Result:
    return Result(0, json.dumps({"items": list(found)}))


def config(name: str, **more: object) -> Raw:
    return {"kind": "ConfigMap", "metadata": {"name": name}, **more}


def refers(name: str) -> Raw:
    volume = {"configMap": {"name": name}}
    return {"kind": "ReplicaSet", "spec": {"template": {"spec": {"volumes": [volume]}}}}


def remove(client: Client) -> list[str]:
    kube_leftovers.remove(Kubectl(client, {}, namespace="shop"), "1")
    return client.did


OWN = "delete secret,job --selector moorings.version=1 --ignore-not-found"


def test_what_nothing_refers_to_goes_with_its_release() -> None:
    hashed = listed(config("app-a", immutable=True), config("app-b", immutable=True),
                    config("flags"))  # fmt: skip
    assert remove(Client({REFER: listed(refers("app-b")), HASHED: hashed})) == [
        OWN, "delete --ignore-not-found configmap/app-a",
    ]  # fmt: skip


def test_where_all_is_in_use_nothing_more_goes() -> None:
    hashed = listed(config("app-b", immutable=True))
    assert remove(Client({REFER: listed(refers("app-b")), HASHED: hashed})) == [OWN]


def test_silence_lets_nothing_go(capsys: pytest.CaptureFixture[str]) -> None:
    hashed = listed(config("app-a", immutable=True))
    assert remove(Client({REFER: Result(1, "timeout"), HASHED: hashed})) == [OWN]
    assert "not all of release 1 was removed from the cluster" in capsys.readouterr().err


def test_without_the_namespace_there_is_nothing() -> None:
    assert remove(Client({"namespace": Result(0)})) == []
