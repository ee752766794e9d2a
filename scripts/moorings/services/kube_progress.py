"""How far a rollout is, from one look at its workload, its ReplicaSets and its pods."""

from collections.abc import Sequence
from dataclasses import dataclass

from moorings.services import kube_pods, kube_reasons
from moorings.services.kubectl import Raw, at

#: Where a Deployment and its ReplicaSets say which revision they are.
REVISION = ("metadata", "annotations", "deployment.kubernetes.io/revision")

#: The label of a pod that says of which ReplicaSet it is, and of which revision of a StatefulSet.
OF_GROUP, OF_REVISION = "pod-template-hash", "controller-revision-hash"


@dataclass(frozen=True)
class Progress:
    """What a Deployment or a StatefulSet says of its rollout, and what it has beside it."""

    raw: Raw
    """Empty: the cluster did not say."""
    beside: Sequence[Raw] = ()
    """ReplicaSets and pods that have its name."""

    def _number(self, *path: str) -> int:
        return int(at(self.raw, *path) or 0)

    @property
    def wanted(self) -> int:
        """How many pods there are to be."""
        return self._number("spec", "replicas")

    @property
    def observed(self) -> bool:
        """Whether what it says is about what was applied last."""
        seen = self._number("status", "observedGeneration")
        return bool(self.raw) and seen >= self._number("metadata", "generation")

    @property
    def complete(self) -> bool:
        """Whether all pods are new and available; old ones may still be draining."""
        if not self.observed:
            return False
        new, all_ = self._number("status", "updatedReplicas"), self._number("status", "replicas")
        return new == all_ == self.wanted == self._number("status", "availableReplicas")

    def __str__(self) -> str:
        if not self.raw:
            return "the cluster does not say"
        new = self._number("status", "updatedReplicas")
        old = self._number("status", "replicas") - new
        available = self._number("status", "availableReplicas")
        return f"{new} new and {old} old pods, {available} available of {self.wanted}"

    @property
    def failure(self) -> str:
        """What its controller says of a failure; empty: it sees none."""
        if not self.observed:
            return ""
        # A Deployment goes on to repeat what an older ReplicaSet met.
        refused = _condition(self._group or self.raw, "ReplicaFailure", "True")
        if refused is not None:
            return " ".join(f"{refused.get('reason')}: {refused.get('message')}".split())
        stuck = _condition(self.raw, "Progressing", "False")
        return str(stuck.get("reason")) if stuck is not None and self._is_ours(stuck) else ""

    def _is_ours(self, stuck: Raw) -> bool:
        """Tell whether it is of this revision: after an undo it stands until the first pod moves.

        `ReplicaSet "app-5d4f" has timed out progressing.`
        """
        late = stuck.get("reason") == "ProgressDeadlineExceeded"
        return not (late and self._group) or _name(self._group) in str(stuck.get("message"))

    @property
    def _group(self) -> Raw | None:
        """The ReplicaSet that has the new pods."""
        revision = at(self.raw, *REVISION)
        groups = [one for one in self.beside if one.get("kind") == "ReplicaSet"]
        return next((one for one in groups if revision and at(one, *REVISION) == revision), None)

    @property
    def serving(self) -> Raw:
        """What has the pods that clients reach; empty: there is no such pod.

        The workload itself where its rollout is complete. In the middle of one it has the new
        template already and counts old pods: there it is the older ReplicaSet that has some.
        """
        groups = [one for one in self.beside if one.get("kind") == "ReplicaSet"]
        wanted = [self.raw] if self.complete else groups
        there = [one for one in wanted if at(one, "status", "availableReplicas")]
        return min(there, key=lambda one: int(at(one, *REVISION) or 0), default={})

    @property
    def halfway(self) -> bool:
        """Whether clients reach an older revision than the one that is to run."""
        return bool(self.serving) and at(self.serving, *REVISION) != at(self.raw, *REVISION)

    @property
    def hopeless(self) -> bool:
        """Whether a new pod will not come up, however long it is waited for."""
        return kube_reasons.hopeless(self.pods)

    @property
    def pods(self) -> list[Raw]:
        """The new pods that are not going, the newest first; none before it has begun."""
        label, revision = self._mark
        there = [
            one for one in self.beside
            if one.get("kind") == "Pod" and self.observed and not kube_pods.going(one)
            and revision and at(one, "metadata", "labels", label) == revision
        ]  # fmt: skip
        return sorted(there, key=lambda one: str(at(one, "metadata", "creationTimestamp")),
                      reverse=True)  # fmt: skip

    @property
    def stuck(self) -> list[Raw]:
        """The pods of an older revision of a StatefulSet for which it waits, and for ever.

        It replaces none that has not been ready before:
        https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
        """
        label, revision = self._mark
        if label != OF_REVISION or not (self.observed and revision):
            return []
        pods = [one for one in self.beside if one.get("kind") == "Pod"]
        return [
            one for one in pods if at(one, "metadata", "labels", label) != revision
            and not kube_pods.going(one) and not kube_pods.ready(one)
        ]  # fmt: skip

    @property
    def _mark(self) -> tuple[str, str]:
        """The label by which a new pod is known, and its value."""
        if self.raw.get("kind") == "StatefulSet":
            return OF_REVISION, str(at(self.raw, "status", "updateRevision") or "")
        return OF_GROUP, str(at(self._group, "metadata", "labels", OF_GROUP) or "")


def of(found: Sequence[Raw], name: str, kind: str = "deployment") -> Progress:
    """Return that of a workload among objects of one answer."""
    mine = [one for one in found if at(one, "metadata", "labels", kube_pods.NAME) == name]
    own = [one for one in mine if str(one.get("kind")).lower() == kind
           and at(one, "metadata", "name") == name]  # fmt: skip
    return Progress(own[0] if own else {}, mine)


def _condition(raw: Raw | None, kind: str, status: str) -> Raw | None:
    found: list[Raw] = at(raw, "status", "conditions") or []
    return next((one for one in found if (one.get("type"), one.get("status")) == (kind, status)),
                None)  # fmt: skip


def _name(raw: Raw | None) -> str:
    return str(at(raw, "metadata", "name"))
