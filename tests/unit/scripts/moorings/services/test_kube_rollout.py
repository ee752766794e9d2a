"""What an undo goes back to, by a client of the cluster that only records."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.errors import CommandError, NotReadyError
from moorings.runner import Command, Result
from moorings.services.kube_pods import NAME
from moorings.services.kube_progress import OF_REVISION
from moorings.services.kube_rollout import Revisions, Rollout
from moorings.services.kubectl import Kubectl


def deployment(revision: str, name: str = "app", generation: int = 1, **status: int) -> Result:
    """One whose rollout is over."""
    ready = {"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1, "availableReplicas": 1}
    metadata = {"name": name, "generation": generation, "labels": {NAME: name},
                "annotations": {"deployment.kubernetes.io/revision": revision}}  # fmt: skip
    raw = {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": 1},
           "status": {**ready, **status}}  # fmt: skip
    return Result(0, json.dumps(raw))


class Client(RecordingRunner):
    """Answers by the name of what is asked for, and of what is watched."""

    def __init__(self, **said: Result) -> None:
        super().__init__()
        self.said = said

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        if command.argv[1] != "get":
            return self.said.get(command.argv[1], Result(0))
        if command.argv[2] == "deployments,replicasets":
            return next((one for one in self.said.values() if one.status), None) or self._all()
        name = command.argv[-4 if "--selector" in command.argv else 3].rpartition("=")[2]
        return self.said.get(name, Result(0))

    def _all(self) -> Result:
        return Result(
            0, json.dumps({"items": [json.loads(one.output) for one in self.said.values()]})
        )

    @property
    def did(self) -> list[str]:
        return [" ".join(words[1:]) for words in self.argvs if words[1] != "get"]


@pytest.fixture(autouse=True)
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubectl").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_what_was_there_goes_back_and_what_was_not_goes() -> None:
    client = Client(app=deployment("3"))
    before = Revisions.now(Kubectl(client, {}), ("app", "gateway"))
    assert before.known == {"app": "3", "gateway": ""}
    client.said["app"] = deployment("4")
    before.undo(timeout=1)
    assert client.did == ["rollout undo deployment/app --to-revision=3",
                          "delete deployment gateway --ignore-not-found"]  # fmt: skip


def test_after_a_rollout_that_was_cut_off_it_goes_back_to_what_serves() -> None:
    old = json.loads(deployment("3").output) | {"kind": "ReplicaSet"}
    client = Client(app=deployment("4", availableReplicas=2), old=Result(0, json.dumps(old)))
    assert Revisions.now(Kubectl(client, {}), ("app",)).known == {"app": "3"}


def test_what_has_not_changed_stays() -> None:
    client = Client(app=deployment("3"))
    Revisions.now(Kubectl(client, {}), ("app",)).undo(timeout=1)
    assert client.did == []


def test_a_cluster_that_does_not_answer_is_no_reason_to_delete_anything() -> None:
    client = Client(app=Result(1, "Unable to connect to the server: timeout"))
    with pytest.raises(CommandError, match="does not answer: Unable to connect"):
        Revisions.now(Kubectl(client, {}), ("app",))


def test_both_are_on_their_way_back_before_one_is_waited_for() -> None:
    client = Client(app=deployment("4"), gateway=deployment("6", "gateway"))
    Revisions(Kubectl(client, {}), {"app": "3", "gateway": "5"}).undo(timeout=1)
    verbs = ["get" if words[1] == "get" else words[3] for words in client.argvs]
    assert verbs == ["get", "deployment/app", "get", "deployment/gateway", "get", "get"]


def test_an_undo_that_goes_wrong_is_said_and_hides_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = Client(app=Result(1, "timeout"), gateway=deployment("6", "gateway"))
    Revisions(Kubectl(client, {}), {"app": "3", "gateway": "5"}).undo(timeout=0)
    assert client.did == ["rollout undo deployment/gateway --to-revision=5"]
    said = capsys.readouterr().err
    assert "app is not as it was before: the cluster of the current context does not ans" in said
    assert "gateway is not" not in said


def test_what_its_controller_has_not_seen_yet_goes_back_too() -> None:
    client = Client(app=deployment("3", generation=2))
    Revisions(Kubectl(client, {}), {"app": "3"}).undo(timeout=0)
    assert client.did == ["rollout undo deployment/app --to-revision=3"]


NO_ROOM = "exceeded quota: small, requested: pods=1, used: pods=6, limited: pods=6"


def events(version: str, message: str = f'pods "postgres-0" is forbidden: {NO_ROOM}') -> Result:
    return Result(0, json.dumps({"metadata": {"resourceVersion": version}, "message": message}))


class Refused(Client):
    """Has no pod of a StatefulSet, and notes each try to make one."""

    def __init__(self, *noted: Result) -> None:
        metadata = {"name": "postgres", "uid": "u", "labels": {NAME: "postgres"}}
        raw = {"kind": "StatefulSet", "spec": {"replicas": 1}, "metadata": metadata}
        super().__init__(postgres=Result(0, json.dumps(raw)))
        self.noted = list(noted)

    def finish(self, command: Command) -> Result:
        command = replace(command, argv=(command.argv[0], *command.argv[3:]))
        if command.argv[1:3] == ("get", "events"):
            return self.noted.pop(0) if len(self.noted) > 1 else self.noted[0]
        return super().finish(command)


def watch(client: Client, timeout: float) -> str:
    with pytest.raises(NotReadyError) as late:
        Rollout(Kubectl(client, {}, namespace="shop"), "statefulset", "postgres").watch(timeout)
    assert (late.value.hint.startswith("kubectl --namespace shop describe quota")) is (
        "quota" in late.value.fact
    )
    return late.value.fact


def test_a_quota_that_refuses_the_pod_of_postgresql_ends_the_wait_at_once() -> None:
    assert watch(Refused(events("1"), events("2")), timeout=5) == (
        "postgres does not roll out: the quota small has no room: "
        "requested pods=1, used pods=6, limited pods=6"
    )


def test_what_was_noted_before_means_nothing() -> None:
    assert "waited 1 s for postgres" in watch(Refused(events("1")), timeout=0.6)


def stateful(revision: str, ready: str, **status: int) -> Result:
    """A StatefulSet whose update revision is `new`, and its pod."""
    name, labels = "postgres", {NAME: "postgres"}
    own = {"kind": "StatefulSet", "metadata": {"name": name, "labels": labels, "generation": 2},
           "spec": {"replicas": 1},
           "status": {"observedGeneration": 2, "updateRevision": "new", **status}}  # fmt: skip
    pod = {"kind": "Pod",
           "metadata": {"name": "postgres-0", "labels": {**labels, OF_REVISION: revision}},
           "status": {"conditions": [{"type": "Ready", "status": ready}]}}  # fmt: skip
    return Result(0, json.dumps({"items": [own, pod]}))


class Broken(Client):
    """Makes the new pod of a StatefulSet only once the old one is taken away."""

    def finish(self, command: Command) -> Result:
        if command.argv[1] == "delete":
            whole = {"updatedReplicas": 1, "replicas": 1, "availableReplicas": 1}
            self.said["postgres"] = stateful("new", "True", **whole)
        return super().finish(command)


def test_a_pod_that_never_got_ready_is_taken_away_for_the_mended_one() -> None:
    client = Broken(postgres=stateful("old", "False"))
    Rollout(Kubectl(client, {}), "statefulset", "postgres").watch(timeout=2)
    assert client.did == ["delete pod postgres-0 --ignore-not-found --wait=false"]


@pytest.mark.parametrize(("revision", "ready"), [("old", "True"), ("new", "False")])
def test_one_that_its_statefulset_replaces_itself_or_that_is_new_is_left(
    revision: str, ready: str
) -> None:
    client = Client(postgres=stateful(revision, ready))
    with pytest.raises(NotReadyError):
        Rollout(Kubectl(client, {}), "statefulset", "postgres").watch(timeout=0)
    assert [words for words in client.did if words.startswith("delete")] == []
