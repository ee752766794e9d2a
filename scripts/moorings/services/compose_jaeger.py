"""The Jaeger of a Compose project: its address is that of a container."""

from collections.abc import Callable
from dataclasses import replace

from moorings import probe, ui
from moorings.errors import MoorError
from moorings.services.compose import Project
from moorings.services.jaeger import BOOT, Jaeger
from moorings.services.jaeger_source import Kind, Source
from moorings.target import Context

#: Where it listens, by compose.yaml.
QUERY_PORT, COLLECTOR, GRPC = 16686, "http://jaeger:4318", "http://jaeger:4317"


class Inside(Jaeger):
    """A container of the project, started with what else the app leans on, or alone."""

    project: Project
    bring_up: Callable[[], None]

    @property
    def source(self) -> Source:
        """Where it comes from."""
        return Source(Kind.ENDPOINT, "to Jaeger in a container of the project")

    @property
    def query_url(self) -> str:
        """Where this host reaches the container; empty where it does not run."""
        try:
            return f"http://{self.project.address('jaeger', 'back')}:{QUERY_PORT}"
        except MoorError:
            return ""

    @property
    def grpc_endpoint(self) -> str:
        """Where the app reaches it by gRPC."""
        return GRPC

    @property
    def flags(self) -> dict[str, object]:
        """The settings by which another deployment sends its traces here."""
        return {**super().flags, "docker.network": f"{self.project.name}_back"}

    def describe(self) -> str:
        """Say in one line what runs and where."""
        found = self.project.find("jaeger")
        if found is None or not found.runs:
            return "does not run"
        return f"{self.query_url} (container {found.id})"

    def start(self) -> None:
        """Start its container unless it runs, and wait until it answers queries.

        :raises NotReadyError: with its own last lines.
        """
        if self.runner.dry:
            return
        self.bring_up()
        probe.http(f"{self.query_url}/api/services", what="Jaeger", timeout=BOOT)
        ui.good(f"Jaeger answers at {self.query_url}")

    def logs(self, lines: int = 100) -> str:
        """Return its newest log lines."""
        found = self.project.find("jaeger")
        argv = ("logs", "--tail", str(lines))
        return self.project.engine.ask(*argv, found.id, both=True).output if found else ""

    def stop(self, volumes: bool = False) -> None:
        """Leave it to the project, whose containers go together."""


def of_project(context: Context, project: Project, bring_up: Callable[[], None]) -> Jaeger:
    """Return the project's own Jaeger, unless the settings name another one.

    :param bring_up: starts its container.
    """
    settings = context.settings.jaeger
    if settings.endpoint or settings.url:
        return Jaeger(settings, context.runner, context.layout, context.user)
    own = replace(settings, endpoint=COLLECTOR)
    made = Inside(own, context.runner, context.layout, context.user)
    made.project, made.bring_up = project, bring_up
    return made
