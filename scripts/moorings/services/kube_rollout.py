"""A rollout, watched: how far it is, and why it does not get on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from moorings import probe, ui
from moorings.errors import MoorError, NotReadyError
from moorings.services import kube_pods, kube_reasons
from moorings.services.kubectl import Kubectl, Raw, at

#: Seconds between two looks.
EVERY = 0.5


@dataclass(frozen=True)
class Progress:
    """What a Deployment or a StatefulSet says of its rollout."""

    raw: Raw

    def _number(self, *path: str) -> int:
        return int(at(self.raw, *path) or 0)

    @property
    def wanted(self) -> int:
        """How many pods there are to be."""
        return self._number("spec", "replicas")

    @property
    def complete(self) -> bool:
        """Whether all pods are new and available; old ones may still be draining."""
        seen = self._number("status", "observedGeneration")
        if seen < self._number("metadata", "generation"):
            return False
        new, all_ = self._number("status", "updatedReplicas"), self._number("status", "replicas")
        return new == all_ == self.wanted == self._number("status", "availableReplicas")

    def __str__(self) -> str:
        new = self._number("status", "updatedReplicas")
        old = self._number("status", "replicas") - new
        available = self._number("status", "availableReplicas")
        return f"{new} new and {old} old pods, {available} available of {self.wanted}"

    @property
    def failure(self) -> str:
        """What its controller says of a failure; empty: it sees none."""
        conditions = at(self.raw, "status", "conditions") or []
        for one in conditions:
            if one.get("type") == "ReplicaFailure" and one.get("status") == "True":
                return " ".join(f"{one.get('reason')}: {one.get('message')}".split())
        for one in conditions:
            if one.get("type") == "Progressing" and one.get("status") == "False":
                return str(one.get("reason"))
        return ""


@dataclass(frozen=True)
class Rollout:
    """One that was begun by an apply."""

    kubectl: Kubectl
    kind: str
    name: str

    @property
    def _object(self) -> Raw:
        return self.kubectl.find(self.kind, self.name) or {}

    def watch(self, timeout: float) -> None:
        """Wait until it is complete.

        :param timeout: seconds.
        :raises NotReadyError: with the reason in one line.
        """
        seen = "it has not begun"

        def complete() -> bool | None:
            nonlocal seen
            progress = Progress(self._object)
            seen = str(progress)
            if progress.complete:
                return True
            return False if progress.failure or self._hopeless() else None

        with ui.working(f"Rolling out {self.name}", lambda: seen):
            try:
                done = probe.until(complete, what=f"{self.name} to roll out", timeout=timeout,
                                   every=EVERY, last=lambda: seen)  # fmt: skip
            except NotReadyError as late:
                raise self.failed(late.fact) from None
        if not done:
            raise self.failed(Progress(self._object).failure)

    def _hopeless(self) -> bool:
        return kube_reasons.hopeless(self.pods())

    def pods(self) -> list[Raw]:
        """Return the pods that are not going, the newest first."""
        selector = f"{kube_pods.NAME}={self.name}"
        found = self.kubectl.get("pods", "--selector", selector)
        there = [one for one in found if not kube_pods.going(one)]
        return sorted(there, key=lambda one: str(at(one, "metadata", "creationTimestamp")),
                      reverse=True)  # fmt: skip

    def failed(self, said: str) -> MoorError:
        """Return the error of a rollout that does not get on, with the reason in one line.

        :param said: what its controller, or the clock, says.
        """
        unready = [one for one in self.pods() if not kube_pods.ready(one)][:1]
        log = "\n".join(log_of(self.kubectl, kube_pods.name(one), 200) for one in unready)
        why = kube_reasons.of_pods(unready, log) or kube_reasons.cause(log)
        why = why or said or "it does not say why"
        return NotReadyError(f"{self.name} does not roll out: {why}", log=log)


def log_of(kubectl: Kubectl, pod: str, lines: int) -> str:
    """Return the newest lines of a pod; of the start before, where it has just been started."""
    said = kubectl.ask("logs", pod, "--tail", str(lines))
    if said.status == 0 and said.output.strip():
        return said.output
    before = kubectl.ask("logs", pod, "--tail", str(lines), "--previous")
    return before.output if before.status == 0 else ""


@dataclass(frozen=True)
class Revisions:
    """What some Deployments were before a rollout, to go back to."""

    kubectl: Kubectl
    known: Mapping[str, str]
    """The revision of each by its name; empty: it is not there yet."""

    @classmethod
    def now(cls, kubectl: Kubectl, names: Iterable[str]) -> "Revisions":
        """Look at them.

        :raises CommandError: where the cluster does not say: an undo deletes what was not there.
        """
        return cls(kubectl, {name: _revision(kubectl, name) for name in names})

    def undo(self, timeout: float) -> None:
        """Go back to what ran before; what did not run before goes."""
        with ui.working("Undoing the rollout"):
            for name, revision in self.known.items():
                if not revision:
                    self.kubectl.do("delete", "deployment", name, "--ignore-not-found")
                elif _revision(self.kubectl, name) != revision:
                    back = f"--to-revision={revision}"
                    self.kubectl.do("rollout", "undo", f"deployment/{name}", back)
                    Rollout(self.kubectl, "deployment", name).watch(timeout)


def _revision(kubectl: Kubectl, name: str) -> str:
    found = kubectl.require("deployment", name)
    key = "deployment.kubernetes.io/revision"
    return str(at(found, "metadata", "annotations", key) or "") if found else ""
