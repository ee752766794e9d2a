"""The Jaeger of a namespace: it is reached by a way of this host's own into the cluster."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from moorings import probe, ui
from moorings.errors import MoorError
from moorings.services import kube_pods
from moorings.services.jaeger import BOOT, Jaeger
from moorings.services.jaeger_source import Kind, Source
from moorings.services.kube_forwards import Forwards
from moorings.services.kubectl import Kubectl, Raw
from moorings.target import Context

#: Where it listens.
QUERY_PORT, OTLP_PORT, GRPC_PORT = 16686, 4318, 4317


class Reaches(Protocol):
    """Who knows the cluster, once it is asked."""

    @property
    def kubectl(self) -> Kubectl:
        """The cluster, in the namespace of the deployment."""

    @property
    def forwards(self) -> Forwards:
        """Ways into it."""


class InCluster(Jaeger):
    """A pod of the deployment, started with what else the app leans on, or alone."""

    target: Reaches
    bring_up: Callable[[], None]

    @property
    def kubectl(self) -> Kubectl:
        """The cluster, in the namespace of the deployment."""
        return self.target.kubectl

    @property
    def forwards(self) -> Forwards:
        """Ways into it."""
        return self.target.forwards

    @property
    def source(self) -> Source:
        """Where it comes from."""
        return Source(Kind.ENDPOINT, "to Jaeger in a pod of the deployment")

    @property
    def _pod(self) -> Raw | None:
        selector = f"{kube_pods.NAME}=jaeger"
        found = self.kubectl.get("pods", "--selector", selector)
        return next((one for one in found if kube_pods.ready(one)), None)

    @property
    def query_url(self) -> str:
        """Where this host reaches it; empty where it does not run."""
        pod = self._pod
        if pod is None:
            return ""
        try:
            return self.forwards.url("jaeger", f"pod/{kube_pods.name(pod)}", QUERY_PORT)
        except MoorError:
            return ""

    @property
    def grpc_endpoint(self) -> str:
        """Where the app reaches it by gRPC."""
        return f"http://jaeger:{GRPC_PORT}"

    @property
    def flags(self) -> dict[str, object]:
        """The settings by which another deployment of the cluster sends its traces here."""
        inside = f"http://jaeger.{self.kubectl.namespace}.svc.cluster.local:{OTLP_PORT}"
        return {"jaeger.endpoint": inside, "jaeger.url": self.query_url}

    def describe(self) -> str:
        """Say in one line what runs and where."""
        pod = self._pod
        if pod is None:
            return "does not run"
        return f"{self.query_url} (pod {kube_pods.name(pod)})"

    def start(self) -> None:
        """Start its pod unless it runs, and wait until it answers queries.

        :raises NotReadyError: with its own last lines.
        """
        if self.runner.dry:
            return
        self.bring_up()
        probe.http(f"{self.query_url}/api/services", what="Jaeger", timeout=BOOT)
        ui.good(f"Jaeger answers at {self.query_url}")

    def logs(self, lines: int = 100) -> str:
        """Return its newest log lines."""
        pod = self._pod
        if pod is None:
            return ""
        return self.kubectl.ask("logs", kube_pods.name(pod), "--tail", str(lines)).output

    def stop(self, volumes: bool = False) -> None:
        """Leave it to the deployment, whose pods go together."""


def of_namespace(context: Context, target: Reaches, bring_up: Callable[[], None]) -> Jaeger:
    """Return the deployment's own Jaeger, unless the settings name another one.

    :param bring_up: starts its pod.
    """
    settings = context.settings.jaeger
    if settings.endpoint or settings.url:
        return Jaeger(settings, context.runner, context.layout, context.user)
    own = replace(settings, endpoint=f"http://jaeger:{OTLP_PORT}")
    made = InCluster(own, context.runner, context.layout, context.user)
    made.target, made.bring_up = target, bring_up
    return made
