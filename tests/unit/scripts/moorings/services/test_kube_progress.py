"""How far a rollout is: only what is of its own revision says so, and only once it was seen."""

from typing import Any

from moorings.services.kube_progress import Progress
from moorings.services.kubectl import Raw

CRASHES = {"ready": False, "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
REVISION = "deployment.kubernetes.io/revision"


def pod(name: str, status: Raw, **labels: str) -> Raw:
    found = {key.replace("_", "-"): value for key, value in labels.items()}
    return {"kind": "Pod", "metadata": {"name": name, "labels": found},
            "status": {"containerStatuses": [status]}}  # fmt: skip


def group(name: str, revision: str) -> Raw:
    labels = {"pod-template-hash": name.partition("-")[2]}
    metadata = {"name": name, "annotations": {REVISION: revision}, "labels": labels}
    return {"kind": "ReplicaSet", "metadata": metadata}


def deployment(revision: str, *conditions: Raw, generation: int = 2, observed: int = 2) -> Raw:
    return {
        "kind": "Deployment",
        "metadata": {"name": "app", "generation": generation, "annotations": {REVISION: revision}},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": observed, "conditions": list(conditions)},
    }


OLD, NEW = group("app-a", "1"), group("app-b", "2")
CRASHING = pod("app-a-1", CRASHES, pod_template_hash="a")


def late(name: str) -> Raw:
    said = f'ReplicaSet "{name}" has timed out progressing.'
    return {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
            "message": said}  # fmt: skip


def test_a_live_release_that_crashes_does_not_stand_in_the_way_of_the_next_one() -> None:
    seen = Progress(deployment("2"), [OLD, NEW, CRASHING])
    assert not seen.hopeless
    assert seen.pods == []


def test_a_new_pod_that_crashes_is_hopeless() -> None:
    crashing = pod("app-b-1", CRASHES, pod_template_hash="b")
    seen = Progress(deployment("2"), [OLD, NEW, CRASHING, crashing])
    assert seen.hopeless
    assert seen.pods == [crashing]


def test_nothing_is_given_up_before_its_controller_has_looked() -> None:
    unseen = deployment("1", late("app-a"), generation=3, observed=2)
    seen = Progress(unseen, [OLD, CRASHING])
    assert (seen.failure, seen.hopeless, seen.complete) == ("", False, False)


def test_after_an_undo_the_failure_of_what_was_undone_counts_no_more() -> None:
    # Its revision is that of the ReplicaSet that is taken back into use.
    back = group("app-a", "3")
    assert Progress(deployment("3", late("app-b")), [back, NEW]).failure == ""
    assert Progress(deployment("3", late("app-a")), [back, NEW]).failure


def test_what_an_older_replicaset_met_is_not_the_new_ones() -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
               "message": "exceeded quota: small"}  # fmt: skip
    seen = deployment("2", refused)
    assert Progress(seen, [OLD, NEW]).failure == ""
    own: Any = {**NEW, "status": {"conditions": [refused]}}
    assert Progress(seen, [OLD, own]).failure == "FailedCreate: exceeded quota: small"


def test_pods_of_a_statefulset_are_known_by_its_revision() -> None:
    raw = {"kind": "StatefulSet", "metadata": {"generation": 1},
           "status": {"observedGeneration": 1, "updateRevision": "postgres-2"}}  # fmt: skip
    old = pod("postgres-0", CRASHES, controller_revision_hash="postgres-1")
    assert not Progress(raw, [old]).hopeless
    new = pod("postgres-0", CRASHES, controller_revision_hash="postgres-2")
    assert Progress(raw, [new]).hopeless


def test_a_cluster_that_does_not_answer_has_completed_nothing() -> None:
    assert not Progress({}).complete
    assert str(Progress({})) == "the cluster does not say"
