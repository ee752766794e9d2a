"""Who may change a namespace, by a client of the cluster that only records."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.errors import CommandError, LockedError
from moorings.runner import Command, Result
from moorings.services.kube_lease import HOLDS, MICRO_TIME, Lease
from moorings.services.kubectl import Kubectl

EXISTS = Result(1, 'Error from server (AlreadyExists): leases "moorings" already exists')
THERE = Result(0, json.dumps({"metadata": {"name": "shop"}}))


def lease(age: float) -> Result:
    """A lease of another machine, which was renewed so many seconds ago."""
    renewed = (datetime.now(UTC) - timedelta(seconds=age)).strftime(MICRO_TIME)
    spec = {"holderIdentity": "deploy 1.0, by operator on other", "renewTime": renewed,
            "leaseDurationSeconds": HOLDS}  # fmt: skip
    return Result(0, json.dumps({"metadata": {"resourceVersion": "7"}, "spec": spec}))


class Client(RecordingRunner):
    """Answers by what is done, and to what."""

    def __init__(self, **said: Result) -> None:
        super().__init__()
        self.said = {"get namespace": THERE, **{k.replace("_", " "): v for k, v in said.items()}}

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        verb, what = command.argv[1:3]
        said = self.said.get(f"{verb} {what}", self.said.get(verb, Result(0)))
        if verb in ("create", "replace") and said.status == 0:
            self.said["get lease"] = Result(0, Path(command.argv[-1]).read_text())
        return said

    @property
    def did(self) -> list[str]:
        return [words[1] for words in self.argvs if words[1] != "get"]


@pytest.fixture(autouse=True)
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubectl").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


class FakeClock:
    """Each pause is over at once."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds


def take(client: Client, folder: Path) -> None:
    with Lease(Kubectl(client, {}), folder, FakeClock()).held("deploy 2.0"):
        said = json.loads((folder / "lease.json").read_text())
        assert said["spec"]["holderIdentity"].startswith("deploy 2.0, by ")


def test_it_is_made_and_goes(tmp_path: Path) -> None:
    client = Client()
    take(client, tmp_path)
    assert client.did == ["create", "delete"]


def test_another_ones_is_told_with_its_holder(tmp_path: Path) -> None:
    client = Client(create=EXISTS, get_lease=lease(HOLDS / 2))
    with pytest.raises(LockedError, match=r"being changed: deploy 1\.0, by operator on other"):
        take(client, tmp_path)
    assert client.did == ["create"]


def test_a_dead_ones_is_taken_over_as_it_was_seen(tmp_path: Path) -> None:
    client = Client(create=EXISTS, get_lease=lease(HOLDS + 1))
    take(client, tmp_path)
    assert client.did == ["create", "replace", "delete"]
    assert json.loads((tmp_path / "lease.json").read_text())["metadata"]["resourceVersion"] == "7"


def test_one_that_looks_over_by_another_clock_is_seen_to_go_on(tmp_path: Path) -> None:
    client = Client(create=EXISTS, get_lease=lease(HOLDS + 1))
    answers = iter((lease(HOLDS + 1), lease(HOLDS - 14)))

    def finish(command: Command) -> Result:
        if command.argv[1:3] == ("get", "lease"):
            client.said["get lease"] = next(answers)
        return Client.finish(client, command)

    client.finish = finish  # type: ignore[method-assign]
    with pytest.raises(LockedError, match="by operator on other"):
        take(client, tmp_path)
    assert client.did == ["create"]


def test_one_that_another_machine_took_meanwhile_is_left_to_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = Client()
    with Lease(Kubectl(client, {}), tmp_path, FakeClock()).held("deploy 2.0"):
        client.said["get lease"] = lease(1)
    assert client.did == ["create"]
    assert "changed meanwhile" in capsys.readouterr().err


def test_a_cluster_that_does_not_answer_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="does not answer: Unable to connect"):
        take(Client(get_namespace=Result(1, "Unable to connect to the server")), tmp_path)


def test_of_two_that_take_it_over_one_is_refused(tmp_path: Path) -> None:
    conflict = Result(1, "Operation cannot be fulfilled: the object has been modified")
    client = Client(create=EXISTS, get_lease=lease(HOLDS + 1), replace=conflict)
    with pytest.raises(CommandError, match="no lease"):
        take(client, tmp_path)
    assert client.did == ["create", "replace"]


def test_who_may_hold_none_is_told_which_role_suffices(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no lease") as refused:
        take(Client(create=Result(1, "leases is forbidden")), tmp_path)
    assert "forbidden" in refused.value.log
    assert "deploy/k8s/deployer" in refused.value.hint


def test_before_the_namespace_is_there_nobody_needs_one(tmp_path: Path) -> None:
    client = Client(get_namespace=Result(0))
    with Lease(Kubectl(client, {}), tmp_path).held("deploy 2.0"):
        assert client.did == []
