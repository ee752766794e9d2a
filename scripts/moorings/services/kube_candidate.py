"""The pod in which a release is proved: as its Deployment would make it, but in no Service."""

from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from moorings import probe
from moorings.errors import NotReadyError
from moorings.services import kube_pods, kube_reasons
from moorings.services.kube_forwards import Forwards
from moorings.services.kube_pods import APP_PORT, NAME
from moorings.services.kubectl import Kubectl, Raw, at

POD = "candidate"


@dataclass
class Candidate:
    """The one of a namespace."""

    kubectl: Kubectl
    forwards: Forwards
    folder: Path
    """Where it is written down before it is sent."""
    _seen: frozenset[str] = field(default=frozenset(), init=False)

    def start(self, app: Raw, timeout: float) -> None:
        """Put a pod of a Deployment in place of the last one, and wait until it listens.

        :param timeout: seconds.
        :raises NotReadyError: with the reason where it does not.
        """
        self._seen = frozenset()
        self.remove()
        self.kubectl.apply([of_deployment(app)], self.folder / "candidate.json")
        self._begun(timeout)

    def _begun(self, timeout: float) -> None:
        """Wait until its container listens, as its startup probe tells, or has already ended.

        A way into a pod that refuses the first connection ends there and then.
        """

        def begun() -> bool | None:
            pod = self._pod
            statuses = at(pod, "status", "containerStatuses") or []
            if any(one.get("started") or "terminated" in one.get("state", {}) for one in statuses):
                return True
            return False if pod is None or kube_reasons.hopeless([pod]) else None

        try:
            done = probe.until(begun, what="its pod to begin", timeout=timeout, every=0.3,
                               last=self._why)  # fmt: skip
        except NotReadyError as late:
            raise NotReadyError(late.fact) from None
        if not done:
            raise NotReadyError(f"its pod does not begin: {self._why()}")

    def _why(self) -> str:
        pod = self._pod
        return (kube_reasons.of_pod(pod) if pod else "") or "it has not begun"

    @property
    def _pod(self) -> Raw | None:
        return self.kubectl.find("pod", POD)

    @property
    def url(self) -> str:
        """A way of its own into the cluster."""
        return self.forwards.url(POD, f"pod/{POD}", APP_PORT)

    def alive(self) -> bool:
        """Tell whether it runs, and no worker of it was replaced."""
        pod = self._pod
        if pod is None or at(pod, "status", "phase") not in ("Pending", "Running"):
            return False
        if any(kube_reasons.restarts(one) for one in at(pod, "status", "containerStatuses") or ()):
            return False
        workers = {one.id for one in kube_pods.instances([pod]) if one.role == "worker"}
        # The master puts another in the place of a worker that dies: it would seem to live on.
        died = self._seen - workers
        self._seen |= workers
        return not died

    def remove(self, wait: bool = True) -> None:
        """Take it away; fine where there is none."""
        self.forwards.end(POD)
        if self.kubectl.require("pod", POD):
            words = ("delete", "pod", POD, "--ignore-not-found", "--grace-period=10")
            self.kubectl.do(*words, f"--wait={str(wait).lower()}")


def of_deployment(app: Raw) -> Raw:
    """Return a pod as the Deployment would make it, which no Service knows."""
    template = app["spec"]["template"]
    metadata = template["metadata"]
    spec = deepcopy({**template["spec"], "restartPolicy": "Never"})
    for container in spec["containers"]:
        # No client is sent there, so there is nothing to wait for before SIGTERM.
        container.pop("lifecycle", None)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": POD,
            "namespace": app["metadata"]["namespace"],
            "annotations": metadata.get("annotations", {}),
            "labels": {**metadata["labels"], NAME: POD},
        },
        "spec": spec,
    }
