"""The Jaeger of a deployment: chosen, started beside the app, found again, stopped."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import httpx

from moorings import interrupts, probe, ui
from moorings.errors import NotReadyError
from moorings.layout import Layout
from moorings.runner import Runner, User
from moorings.services import docker, go, jaeger_source
from moorings.services.jaeger_build import Build
from moorings.services.jaeger_run import AsContainer, AsProcess, Folders, Way
from moorings.services.jaeger_source import VERSION, Kind, Machine, Source, choose
from moorings.services.jaeger_state import HOST, State, StateFile, choose_ports
from moorings.settings import Jaeger as Settings

#: Seconds within which a started Jaeger answers; it takes 1 to 2.
BOOT = 30.0

#: Seconds for an image to come where something else is at hand.
BRIEFLY = 20.0


class Jaeger:
    """Knows where the traces go before anything is started, and starts it when told."""

    def __init__(
        self, settings: Settings, runner: Runner, layout: Layout, user: User | None
    ) -> None:
        """Start nothing and ask nothing."""
        self.settings = settings
        self.runner = runner
        self.layout = layout
        self.user = user
        self.folders = Folders(layout, user)
        self.file = StateFile(layout.home / "jaeger.json")
        cache = go.cache(os.environ.get("XDG_CACHE_HOME", ""), Path.home())
        self.build = Build(layout.root / "deploy" / "parts" / "jaeger" / "build", cache, runner)

    @property
    def _elsewhere(self) -> bool:
        return bool(self.settings.endpoint or self.settings.url)

    @cached_property
    def source(self) -> Source:
        """Where it comes from; one that runs already stays.

        :raises SettingsError: where a setting names what is not there.
        """
        state = None if self._elsewhere else self._running()
        if state is not None:
            return Source(state.kind, self._stays(state), state.what)
        return choose(
            self.settings,
            Machine(
                program=lambda name: shutil.which(os.path.expanduser(name)) or "",
                has_image=self._has_image,
                is_built=self.build.is_there,
            ),
        )

    def _has_image(self, image: str) -> bool:
        # With a finished build at hand, a registry that does not answer is not waited for.
        patience = BRIEFLY if self.build.is_there() else docker.PULL
        return docker.has_image(self.runner, image, patience)

    def _stays(self, state: State) -> str:
        if state.storage == self.settings.storage:
            return "to the Jaeger that runs already"
        return (
            f"to the Jaeger that runs already, with {state.storage} storage; "
            f"for {self.settings.storage}: make down, then deploy again"
        )

    def plan(self) -> None:
        """Choose the source and its ports and write them down, so that the app may start first.

        :raises SettingsError: where a setting names what is not there.
        """
        if not self.source.ours or self._running() is not None or self.runner.dry:
            return
        ports = choose_ports(self.settings, self.file.read())
        self.file.write(State(self.source.kind, self.source.what, self.settings.storage, ports))

    @property
    def ports(self) -> Mapping[str, int]:
        """The ports of the one that was started here, by what they are for."""
        state = self.file.read()
        return state.ports if state else {}

    @property
    def otlp_endpoint(self) -> str:
        """Base address of OTLP over HTTP; empty where no spans are taken."""
        if self._elsewhere:
            return jaeger_source.otlp(self.settings)
        state = self.file.read()
        return f"http://{HOST}:{state.ports['otlp_http']}" if state else ""

    @property
    def grpc_endpoint(self) -> str:
        """Address of OTLP over gRPC; empty where that is the one of `otlp_endpoint`."""
        if self._elsewhere:
            return jaeger_source.otlp_grpc(self.settings)
        state = self.file.read()
        return f"http://{HOST}:{state.ports['otlp_grpc']}" if state else ""

    @property
    def thrift_endpoint(self) -> str:
        """Where Jaeger's own protocol is taken over HTTP; empty where that is not known."""
        if self._elsewhere:
            return jaeger_source.thrift(self.settings)
        state = self.file.read()
        return jaeger_source.thrift_url(HOST, state.ports["thrift_http"]) if state else ""

    @property
    def query_url(self) -> str:
        """Address of the query API; empty where there is none to ask."""
        if self._elsewhere:
            return jaeger_source.query(self.settings)
        state = self.file.read()
        return f"http://{HOST}:{state.ports['query']}" if state else ""

    @property
    def flags(self) -> dict[str, object]:
        """The settings by which another deployment sends its traces here."""
        found = {"jaeger.endpoint": self.otlp_endpoint, "jaeger.url": self.query_url}
        thrift = self.ports.get("thrift_http")
        return {**found, "jaeger.thrift_http_port": thrift} if thrift else {**found}

    @property
    def why_no_trace(self) -> str:
        """Why no trace can be shown, where `query_url` is empty."""
        return jaeger_source.why_no_trace(self.settings)

    def has_ui(self) -> bool:
        """Tell whether it has web pages: a build from the module answers `/` without any."""
        try:
            page = httpx.get(f"{self.query_url}/", timeout=5, trust_env=False)
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        # The real page loads its script from here; the module's placeholder loads nothing.
        return page.is_success and "static/" in page.text

    def ui_link(self, trace_id: str) -> str:
        """Return the page of a trace; empty where this Jaeger has no pages."""
        return f"{self.query_url}/trace/{trace_id}" if self.has_ui() else ""

    def describe(self) -> str:
        """Say in one line what runs, where and as whom."""
        if self._elsewhere:
            return f"{self.query_url or self.otlp_endpoint} (not started by moor)"
        state = self._running()
        if state is None:
            return "does not run"
        return f"{self.query_url} ({self._way(state.kind).who(state)}; {state.storage} storage)"

    @contextmanager
    def building(self) -> Iterator[None]:
        """Build in the background while a block runs, where it must be built at all.

        `start` inside the block waits for it; what is not done at the end of the block is ended.
        """
        if self.runner.dry or self.source.kind is not Kind.BUILD:
            yield
            return
        with self.build.ahead():
            yield

    def start(self) -> None:
        """Start it unless it runs, and wait until it takes spans and answers queries.

        :raises BuildError: with the last lines of the build.
        :raises NotReadyError: with its own last lines.
        """
        if self.runner.dry or not self.source.ours or self._running() is not None:
            return
        told = self.otlp_endpoint
        program = self._program()
        self.plan()
        if told not in ("", self.otlp_endpoint):
            ui.warn(f"{told} was taken meanwhile, and the app sends there: deploy it once more")
        with ui.working("Starting Jaeger"):
            self._launch(program)
        ui.good(f"Jaeger answers at {self.query_url}")

    def _launch(self, program: str) -> None:
        state = self.file.read()
        assert state is not None
        way = self._way(state.kind)
        way.end()
        self.folders.make()
        try:
            with interrupts.held():
                state = way.start(state, program, self.settings.max_traces)
                self.file.write(state)
            self._wait(way, state)
        except BaseException as problem:
            if isinstance(problem, NotReadyError):
                problem.log = way.logs(state, 30)
                problem.hint = "see its last lines above; the app runs without it"
            self.stop()
            raise

    def _program(self) -> str:
        if self.source.kind is Kind.IMAGE:
            return self.source.what
        built = self.source.kind is Kind.BUILD
        program = self.build.make() if built else Path(self.source.what).absolute()
        if self.user is None:
            return str(program)
        return str(_copied(program, self.layout.bin / (f"jaeger-{VERSION}" if built else "jaeger")))

    def _wait(self, way: Way, state: State) -> None:
        health = probe.Http(f"http://{HOST}:{state.ports['health']}/status")
        query = probe.Http(f"{self.query_url}/api/services")

        def answers() -> bool | None:
            if not way.runs(state):
                return False
            return True if health() and query() else None

        if not probe.until(answers, what="Jaeger to answer", timeout=BOOT, last=query.last):
            raise NotReadyError("Jaeger ended while it started")

    def _way(self, kind: Kind) -> Way:
        way = AsContainer if kind is Kind.IMAGE else AsProcess
        return way(self.runner, self.folders)

    def _running(self) -> State | None:
        state = self.file.read()
        return state if state is not None and self._way(state.kind).runs(state) else None

    def logs(self, lines: int = 100) -> str:
        """Return its newest log lines."""
        state = self.file.read()
        return self._way(state.kind).logs(state, lines) if state is not None else ""

    def stop(self, volumes: bool = False) -> None:
        """Stop what was started here; stored traces are kept unless `volumes`."""
        if self.runner.dry:
            return
        state = self.file.read()
        AsProcess(self.runner, self.folders).end()
        if state is not None and state.kind is Kind.IMAGE:
            AsContainer(self.runner, self.folders).end()
        self.file.forget()
        self.folders.remove(volumes)


def _copied(program: Path, to: Path) -> Path:
    """Copy a program to where the service's user can read it, as root's own cache is not."""
    if to.exists() and _mark(to) == _mark(program):
        return to
    to.parent.mkdir(parents=True, exist_ok=True)
    fresh = to.with_suffix(".new")
    # With its time of change, by which it is known the next time.
    shutil.copy2(program, fresh)
    fresh.chmod(0o755)
    fresh.replace(to)
    return to


def _mark(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns
