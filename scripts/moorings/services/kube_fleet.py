"""The pods of a deployment as a whole: how many there are, and what becomes of one that ends."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from moorings import probe
from moorings.services import kube_pods
from moorings.services.kube_pods import NAME
from moorings.services.kubectl import Kubectl, Raw, at

#: Seconds within which the cluster has as many pods as it is told: an autoscaler looks each 15 s,
#: and a pod that ends announces it first.
SETTLED = 90.0

#: Seconds for a connection from pod to pod; a policy lets its packets disappear.
CONNECTED = "3"

#: The Service that lets clients past the gateway.
DIRECT = "direct"


@dataclass(frozen=True)
class Fleet:
    """The pods of `app` and of `gateway` in one namespace."""

    kubectl: Kubectl
    folder: Path
    """Where a request is written down before it is sent."""

    def _pods(self, name: str) -> list[Raw]:
        return self.kubectl.get("pods", "--selector", f"{NAME}={name}")

    def ready(self, name: str = "app") -> list[str]:
        """Return the pods that may get requests, by name."""
        return sorted(kube_pods.name(one) for one in self._pods(name) if kube_pods.ready(one))

    def has(self, count: int, within: float) -> float:
        """Wait until so many pods of the app are there and ready; return the seconds it took.

        :raises NotReadyError: when the time is up.
        """
        began = time.monotonic()
        self._settled("app", count, within)
        return time.monotonic() - began

    @contextmanager
    def cordoned(self) -> Iterator[None]:
        """Let the node of the app take no new pod for the length of a block."""
        node = at(self._pods("app"), 0, "spec", "nodeName")
        self.kubectl.do("cordon", node)
        try:
            yield
        finally:
            self.kubectl.do("uncordon", node)

    @contextmanager
    def exposed(self) -> Iterator[str]:
        """Let clients reach the app past the gateway for the length of a block, at this URL."""
        ports = ("--type", "NodePort", "--port", str(kube_pods.APP_PORT), "--target-port", "http")
        self.kubectl.do("expose", "deployment", "app", "--name", DIRECT, *ports)
        try:
            yield f"http://{self._node()}:{self._node_port()}"
        finally:
            self.kubectl.do("delete", "service", DIRECT)

    def _node(self) -> str:
        return str(at(self._pods("app"), 0, "status", "hostIP"))

    def _node_port(self) -> int:
        return int(at(self.kubectl.find("service", DIRECT), "spec", "ports", 0, "nodePort"))

    def scale(self, count: int) -> None:
        """Have so many pods of the app, by the HorizontalPodAutoscaler; wait until it is so."""
        bounds = json.dumps({"spec": {"minReplicas": count, "maxReplicas": count}})
        self.kubectl.do("patch", "horizontalpodautoscaler", "app", "--patch", bounds)
        self._settled("app", count)

    def end(self, pod: str, name: str = "app") -> None:
        """Tell a pod to end; wait until it has, and another one is ready in its place."""
        before = len(self.ready(name))
        self.kubectl.do("delete", "pod", pod, "--wait=true", timeout=SETTLED)
        self._settled(name, before)

    def evict(self, pod: str) -> str:
        """Ask for the end of a pod as a drain of its node does; return why not, else nothing.

        https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
        """
        namespace = self.kubectl.namespace
        wish = {"apiVersion": "policy/v1", "kind": "Eviction",
                "metadata": {"name": pod, "namespace": namespace}}  # fmt: skip
        file = self.folder / "eviction.json"
        file.write_text(json.dumps(wish))
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
        said = self.kubectl.ask("create", "--raw", path, "--filename", str(file))
        return "" if said.status == 0 else said.output.strip()

    def offer(self, spec: Raw) -> str:
        """Offer the cluster a pod, which it does not keep; return why not, else nothing."""
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "offered"}, "spec": spec}
        file = self.folder / "offered.json"
        file.write_text(json.dumps(pod))
        said = self.kubectl.ask("create", "--dry-run=server", "--filename", str(file))
        return "" if said.status == 0 else said.output.strip()

    def reaches(self, part: str, host: str, port: int) -> bool:
        """Tell whether a connection out of a pod of a part is accepted.

        By bash, as images of Debian's have no client; only another answer than no tells anything.
        """
        pod, way = self.ready(part)[0], f"exec 3<>/dev/tcp/{host}/{port}"
        words = ("exec", pod, "--", "timeout", CONNECTED, "bash", "-c", way)
        return self.kubectl.ask(*words).status == 0

    def mounts(self) -> dict[str, set[str]]:
        """Return what is mounted in the containers of each pod, by its name."""
        return {kube_pods.name(one): _points(one) for one in self.kubectl.get("pods")}

    def settle(self) -> None:
        """Wait until there are as many pods of the app as its Deployment wants."""
        wanted = at(self.kubectl.find("deployment", "app"), "spec", "replicas")
        self._settled("app", int(wanted or 0))

    def aged(self, seconds: float) -> None:
        """Wait until each container that runs has done so for as long."""
        youngest = max(filter(None, map(_began, self.kubectl.get("pods"))), default="")
        if youngest:
            began = datetime.fromisoformat(youngest).timestamp()
            probe.until(
                lambda: True if time.time() - began > seconds else None,
                what=f"each pod to be {seconds:.0f} s old",
                timeout=2 * seconds,
                every=0.5,
            )

    def _settled(self, name: str, count: int, within: float = SETTLED) -> None:
        def there() -> bool | None:
            return True if len(self._pods(name)) == len(self.ready(name)) == count else None

        def last() -> str:
            return f"{len(self.ready(name))} of {len(self._pods(name))} are ready"

        what = f"{count} pods of {name}"
        probe.until(there, what=what, timeout=within, every=0.5, last=last)


def _began(pod: Raw) -> str:
    """Return when the newest container of a pod began: UTC in ISO 8601, in order as text."""
    states = at(pod, "status", "containerStatuses") or []
    return max((str(at(one, "state", "running", "startedAt") or "") for one in states), default="")


def _points(pod: Raw) -> set[str]:
    containers = at(pod, "spec", "containers") or []
    return {mount["mountPath"] for one in containers for mount in one.get("volumeMounts") or ()}
