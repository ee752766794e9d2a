"""Where this host reaches the gateway, its inner door, and each pod of the app."""

import socket
import time
from dataclasses import dataclass, field

from moorings.services import kube_pods
from moorings.services.kube_forwards import Forwards
from moorings.services.kube_manifests import INNER, PUBLIC
from moorings.services.kubectl import Kubectl, Raw, at
from moorings.target import Endpoints

#: Seconds for which an answer is kept: it is asked for again and again.
FRESH = 2.0


@dataclass
class KubeEndpoints:
    """Finds them by the Service and the pods."""

    kubectl: Kubectl
    forwards: Forwards
    _found: Endpoints = field(default_factory=lambda: Endpoints(""))
    _until: float = 0.0

    def forget(self) -> None:
        """Look anew at the next question."""
        self._until = 0.0

    def all(self) -> Endpoints:
        """Return all of them; empty where the gateway does not run."""
        now = time.monotonic()
        if now >= self._until:
            self._found = self._look()
            self._until = time.monotonic() + FRESH
        return self._found

    def _look(self) -> Endpoints:
        pods = self.kubectl.get("pods")
        gateways = [one for one in pods if kube_pods.role(one) == "gateway" and _runs(one)]
        if not gateways:
            return Endpoints("")
        inner = self._forward("inner", gateways[0], INNER)
        closed = self.kubectl.find("configmap", "flags") is not None
        return Endpoints(self.public(gateways), inner, closed, self._each)

    def _each(self) -> tuple[str, ...]:
        pods = [one for one in self.kubectl.get("pods") if kube_pods.role(one) == "app"]
        names = {f"app-{kube_pods.name(one)}": one for one in pods if _runs(one)}
        self.forwards.end_all("app-", but=frozenset(names))
        return tuple(self._forward(name, one, kube_pods.APP_PORT) for name, one in names.items())

    def public(self, gateways: list[Raw] | None = None) -> str:
        """Return where clients reach it: its port on a node, or a way of this host's own."""
        found = gateways or [one for one in self._gateways() if _runs(one)]
        if not found:
            return ""
        port = self._node_port()
        hosts = (str(at(found[0], "status", "hostIP") or ""), "127.0.0.1")
        reached = [host for host in hosts if port and host and _listens(host, port)]
        if reached:
            return f"http://{reached[0]}:{port}"
        return self._forward("gateway", found[0], PUBLIC)

    def _gateways(self) -> list[Raw]:
        return self.kubectl.get("pods", "--selector", f"{kube_pods.NAME}=gateway")

    def _node_port(self) -> int:
        service = self.kubectl.find("service", "gateway")
        return int(at(service, "spec", "ports", 0, "nodePort") or 0)

    def _forward(self, name: str, pod: Raw, port: int) -> str:
        return self.forwards.url(name, f"pod/{kube_pods.name(pod)}", port)


def _runs(pod: Raw) -> bool:
    return at(pod, "status", "phase") == "Running" and not kube_pods.going(pod)


def _listens(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as one:
        one.settimeout(1)
        return one.connect_ex((host, port)) == 0
