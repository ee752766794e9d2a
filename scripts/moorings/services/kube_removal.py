"""All of a deployment taken out of its namespace: the gateway, then the app, then the rest."""

from dataclasses import dataclass

from moorings import ui
from moorings.errors import MoorError
from moorings.services import kube_others
from moorings.services.kube_flag import FLAG
from moorings.services.kubectl import Kubectl

#: Seconds for what has not to drain.
GOES = 180.0

#: All that is removed; the claim of the database is not among them.
KINDS = ("deployment,statefulset,service,horizontalpodautoscaler,poddisruptionbudget,"
         "networkpolicy,job,pod,configmap,secret,serviceaccount")  # fmt: skip

#: The same of those that are the operator's own, where the cluster has them and they may be seen.
THEIRS = ("ingress", "httproute", "cronjob", "daemonset")

ABSENT = "--ignore-not-found"


@dataclass(frozen=True)
class Removal:
    """From a namespace that is there."""

    kubectl: Kubectl
    drain: float
    """Seconds for a pod that has to drain."""

    def do(self, volumes: bool) -> None:
        """Drain and remove it; the namespace with the data too, if told."""
        if volumes:
            self._require_alone()
        with ui.working("Draining the app"):
            self._drained()
        if volumes:
            self.kubectl.do("delete", "namespace", self.kubectl.namespace, ABSENT, timeout=GOES)
            return
        mine = ("--selector", "app.kubernetes.io/part-of=moorings", ABSENT)
        more = [kind for kind in THEIRS if self._knows(kind)]
        self.kubectl.do("delete", ",".join([KINDS, *more]), *mine, timeout=GOES)
        # By hand it has no label; the next deploy would find clients shut out.
        self.kubectl.do("delete", "configmap", FLAG, ABSENT)

    def _knows(self, kind: str) -> bool:
        return self.kubectl.ask("get", kind, "--output", "name").status == 0

    def _require_alone(self) -> None:
        """See that nothing of others' goes with the namespace."""
        others = kube_others.found(self.kubectl)
        if others:
            space = self.kubectl.namespace
            what = f"{kube_others.shown(others)} would go with the namespace {space}"
            hint = "remove it first; ./moor down k8s leaves the namespace and what is not moor's"
            raise MoorError(what, hint=hint)

    def _drained(self) -> None:
        self.kubectl.do("delete", "horizontalpodautoscaler", "app", ABSENT)
        for name in ("gateway", "app"):
            words = ("delete", "deployment", name, ABSENT, "--cascade=foreground")
            self.kubectl.do(*words, timeout=self.drain)
