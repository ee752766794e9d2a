"""Why a pod does not come up, from what a real cluster said (Kubernetes 1.36.4)."""

import json
from pathlib import Path
from typing import Any

import pytest

from moorings.services import kube_reasons
from moorings.services.kube_progress import Progress
from moorings.services.kubectl import Raw

RECORDED = Path(__file__).with_name("recorded") / "pods.json"


@pytest.fixture
def recorded() -> Any:
    return json.loads(RECORDED.read_text())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("absent", "ImagePullBackOff: Back-off pulling image"),
        ("crash", "it ended with status 3: APP: No module named not_installed"),
        ("hungry", "OOMKilled: it took more memory than its limit"),
        ("large", "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu."),
        ("unconfigured", 'CreateContainerConfigError: configmap "nothing" not found'),
        ("unready", ""),
    ],
)
def test_a_pod_says_why(recorded: Any, name: str, why: str) -> None:
    found = kube_reasons.of_pod(recorded["pods"][name])
    assert found.startswith(why)
    assert bool(found) == bool(why)
    assert "\n" not in found


def test_what_will_not_come_by_itself_is_not_waited_for(recorded: Any) -> None:
    hopeless = {name for name, pod in recorded["pods"].items() if kube_reasons.hopeless([pod])}
    # A large one may find room, and one that is not ready may get ready.
    assert hopeless == {"absent", "crash", "hungry", "unconfigured"}


def test_the_log_says_more_than_what_the_cluster_kept(recorded: Any) -> None:
    log = "moorings: READY: the schema is not at its head"
    found = kube_reasons.of_pod(recorded["pods"]["crash"], log)
    assert found == "it ended with status 3: READY: the schema is not at its head"


def test_a_quota_is_named_at_once(recorded: Any) -> None:
    progress = Progress(recorded["refused"])
    assert "exceeded quota: small" in progress.failure
    assert not progress.complete


def test_a_rollout_is_complete_when_no_old_pod_counts_any_more() -> None:
    status = {"observedGeneration": 2, "updatedReplicas": 2, "replicas": 3, "availableReplicas": 3}
    raw: Any = {"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status}
    assert not Progress(raw).complete
    assert str(Progress(raw)) == "2 new and 1 old pods, 3 available of 2"
    status.update(replicas=2, availableReplicas=2)
    assert Progress(raw).complete
    raw["metadata"]["generation"] = 3
    assert not Progress(raw).complete


def test_the_newest_warning_counts() -> None:
    def event(kind: str, reason: str, message: str, second: int) -> Raw:
        at = f"2026-11-23T10:00:{second:02}Z"
        return {"type": kind, "reason": reason, "message": message, "lastTimestamp": at}

    events = [
        event("Warning", "Old", "a", 1),
        event("Normal", "Fine", "b", 3),
        event("Warning", "New", "c\nd", 2),
    ]
    assert kube_reasons.of_events(events) == "New: c d"
    assert kube_reasons.of_events([]) == ""
