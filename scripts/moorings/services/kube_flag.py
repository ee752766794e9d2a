"""The ConfigMap by which the gateway answers clients 503 for the app."""

import time
from dataclasses import dataclass
from pathlib import Path

from moorings import probe
from moorings.services.kube_endpoints import KubeEndpoints
from moorings.services.kube_pods import NAME
from moorings.services.kubectl import Kubectl

#: The gateway mounts it, whether it is there or not.
FLAG = "flags"

#: Seconds for a kubelet to look.
SEEN = 90.0


@dataclass(frozen=True)
class Flag:
    """Of one namespace."""

    kubectl: Kubectl
    where: KubeEndpoints
    folder: Path
    """Where it is written down before it is sent."""

    @property
    def is_up(self) -> bool:
        """Whether clients are told of maintenance.

        :raises CommandError: where the cluster does not say.
        """
        return self.kubectl.require("configmap", FLAG) is not None

    def put(self, on: bool) -> None:
        """Make it or take it away; wait until the gateway has seen that."""
        if on:
            labels = {"app.kubernetes.io/part-of": "moorings", NAME: FLAG}
            metadata = {"name": FLAG, "namespace": self.kubectl.namespace, "labels": labels}
            raw = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata,
                   "data": {"maintenance": "on"}}  # fmt: skip
            self.kubectl.apply([raw], self.folder / "flag.json")
        else:
            self.kubectl.do("delete", "configmap", FLAG, "--ignore-not-found")
        # A kubelet looks at a pod that changes at once, at others each minute.
        note = f"moorings.looked={time.time():.0f}"
        mine = ("--selector", f"{NAME}=gateway", "--overwrite")
        self.kubectl.do("annotate", "pods", *mine, note)
        if not self.kubectl.runner.dry:
            self._seen(on)

    def _seen(self, on: bool) -> None:
        ask = probe.Http(f"{self.where.public()}/", status=503)
        what = "the gateway to see the flag"
        probe.until(lambda: True if (ask() is not None) == on else None, what=what, timeout=SEEN,
                    last=ask.last)  # fmt: skip
        self.where.forget()

    def serves(self, version: str, timeout: float) -> None:
        """See that clients reach a release, or would if they were not told of maintenance.

        :param timeout: seconds.
        :raises NotReadyError: naming the last answer.
        """
        if not self.is_up:
            probe.serves(self.where.public(), version, timeout)
            return
        # What the inner door asks the app goes the way of clients; it is asked no /version.
        found = self.where.all()
        probe.http(f"{found.inner}/readyz", what="the inner door", timeout=timeout)
        for url in found.meters:
            probe.serves(url, version, timeout)
