"""A rollout, watched: how far it is, and why it does not get on."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from moorings import probe, ui
from moorings.errors import MoorError, NotReadyError
from moorings.services import kube_logs, kube_pods, kube_progress, kube_reasons, kube_refusals
from moorings.services.kube_events import Refusals, Refused
from moorings.services.kube_progress import REVISION, Progress
from moorings.services.kubectl import Kubectl, Raw, at

#: Seconds between two looks.
EVERY = 0.5


@dataclass(frozen=True)
class Rollout:
    """One that was begun by an apply."""

    kubectl: Kubectl
    kind: str
    name: str

    @property
    def progress(self) -> Progress:
        """One look at it: all of it in one answer, so that its parts belong together."""
        kinds = f"{self.kind},pod" if self.kind == "statefulset" else f"{self.kind},replicaset,pod"
        found = self.kubectl.get(kinds, "--selector", f"{kube_pods.NAME}={self.name}")
        return kube_progress.of(found, self.name, self.kind)

    def watch(self, timeout: float) -> None:
        """Wait until it is complete.

        :param timeout: seconds.
        :raises NotReadyError: with the reason in one line.
        """
        seen, refused = Progress({}), None
        refusals = Refusals(self.kubectl, fresh=False)

        def complete() -> bool | None:
            nonlocal seen, refused
            seen = self.progress
            if seen.complete:
                return True
            self._free(seen.stuck)
            # A Deployment says it itself.
            if self.kind == "statefulset" and not seen.pods:
                refused = refusals.of(seen.raw)
            return False if seen.failure or seen.hopeless or refused else None

        with ui.working(f"Rolling out {self.name}", lambda: str(seen)):
            try:
                done = probe.until(complete, what=f"{self.name} to roll out", timeout=timeout,
                                   every=EVERY, last=lambda: str(seen))  # fmt: skip
            except NotReadyError as late:
                raise self.failed(seen, late.fact) from None
        if not done:
            raise self.failed(seen, seen.failure, refused)

    def _free(self, stuck: Iterable[Raw]) -> None:
        for one in stuck:
            words = ("delete", "pod", kube_pods.name(one), "--ignore-not-found", "--wait=false")
            self.kubectl.do(*words)

    def failed(self, seen: Progress, said: str, refused: Refused | None = None) -> MoorError:
        """Return the error of a rollout that does not get on, with the reason in one line.

        :param said: what its controller, or the clock, says.
        :param refused: why there is no pod, and the next step, where that is known.
        """
        unready = [one for one in seen.pods if not kube_pods.ready(one)][:1]
        log = kube_logs.of(self.kubectl, unready, 200)
        why = kube_reasons.of_pods(unready, log) or kube_reasons.cause(log)
        told, hint = (why, "") if why else refused or self._known(said) or (said, "")
        fact = f"{self.name} does not roll out: {told or 'it does not say why'}"
        return NotReadyError(fact, log=log, hint=hint)

    def _known(self, said: str) -> Refused | None:
        return kube_refusals.of_pod(said, self.kubectl.namespace)


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
        found = kubectl.every("deployments,replicasets")
        seen = {name: kube_progress.of(found, name) for name in names}
        # After a rollout that was cut off, what serves is not what the Deployment says.
        return cls(kubectl, {name: _revision(one.serving or one.raw) for name, one in seen.items()})

    def undo(self, timeout: float) -> None:
        """Go back to what ran before; what did not run before goes.

        What goes wrong here is said, and hides neither why it is undone nor the other one.
        """
        with ui.working("Undoing the rollout"):
            for name, revision in self.known.items():
                with _said(name):
                    self._begin(name, revision)
            for name in (name for name, revision in self.known.items() if revision):
                with _said(name):
                    Rollout(self.kubectl, "deployment", name).watch(timeout)

    def _begin(self, name: str, revision: str) -> None:
        if not revision:
            self.kubectl.do("delete", "deployment", name, "--ignore-not-found")
            return
        found = self.kubectl.require("deployment", name) or {}
        # Its controller may not have looked yet: the revision is then still the old one.
        if _revision(found) != revision or not Progress(found).observed:
            self.kubectl.do("rollout", "undo", f"deployment/{name}", f"--to-revision={revision}")


@contextmanager
def _said(name: str) -> Iterator[None]:
    try:
        yield
    except MoorError as late:
        ui.warn(f"{name} is not as it was before: {late.fact}")


def _revision(deployment: Raw | None) -> str:
    return str(at(deployment, *REVISION) or "")
