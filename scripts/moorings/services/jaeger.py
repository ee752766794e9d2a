"""The Jaeger of a deployment: chosen, started beside the app, found again, stopped."""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from moorings import masters, ports, probe, ui, users
from moorings.errors import MoorError, NotReadyError
from moorings.layout import Layout
from moorings.logfile import tail
from moorings.runner import Runner, User
from moorings.services import docker, go
from moorings.services.jaeger_build import Build
from moorings.services.jaeger_source import VERSION, Kind, Machine, Source, choose, why_no_trace
from moorings.services.jaeger_state import State, StateFile
from moorings.settings import Jaeger as Settings

HOST = "127.0.0.1"

#: Its settings that are ports; each is also a variable of jaeger.yaml.
PORTS = ("query", "query_grpc", "otlp_http", "otlp_grpc", "thrift_compact", "thrift_http",
         "health", "metrics")  # fmt: skip

#: Seconds within which a started Jaeger answers; it takes 1 to 2.
BOOT = 30.0

#: Seconds that a Jaeger may take to write what it holds, at a stop.
GRACE = 15.0


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
        self.parts = layout.root / "deploy" / "parts" / "jaeger"
        self.file = StateFile(layout.home / "jaeger.json")
        cache = go.cache(os.environ.get("XDG_CACHE_HOME", ""), Path.home())
        self.build = Build(self.parts / "build", cache, runner)

    @property
    def _elsewhere(self) -> bool:
        return bool(self.settings.endpoint or self.settings.url)

    @cached_property
    def source(self) -> Source:
        """Where it comes from; one that runs already stays."""
        state = None if self._elsewhere else self._running()
        if state is not None:
            return Source(Kind(state.kind), "to the Jaeger that runs already", state.what)
        return choose(
            self.settings,
            Machine(
                on_path=lambda: shutil.which("jaeger") or "",
                has_image=lambda image: docker.has_image(self.runner, image),
                is_built=self.build.is_there,
            ),
        )

    def plan(self) -> None:
        """Choose the source and its ports and write them down, so that the app may start first."""
        if not self.source.ours or self._running() is not None or self.runner.dry:
            return
        before = self.file.read()
        wanted = before.ports if before else _wanted(self.settings)
        free = {name: _free(name, port) for name, port in wanted.items()}
        self.file.write(
            State(self.source.kind.value, self.source.what, self.settings.storage, free)
        )

    @property
    def otlp_endpoint(self) -> str:
        """Base address of OTLP over HTTP; empty where no spans are taken."""
        if self.settings.endpoint:
            return self.settings.endpoint
        if self.settings.url:
            return f"http://{urlsplit(self.settings.url).hostname}:{self.settings.otlp_http_port}"
        state = self.file.read()
        return f"http://{HOST}:{state.ports['otlp_http']}" if state else ""

    @property
    def query_url(self) -> str:
        """Address of the query API; empty where there is none to ask."""
        if self._elsewhere:
            return self.settings.url.rstrip("/")
        state = self.file.read()
        return f"http://{HOST}:{state.ports['query']}" if state else ""

    @property
    def why_no_trace(self) -> str:
        """Why no trace can be shown, where `query_url` is empty."""
        return why_no_trace(Kind.ENDPOINT if self.settings.endpoint else Kind.NONE)

    def has_ui(self) -> bool:
        """Tell whether it has web pages: a build from the module answers `/` without any."""
        try:
            page = httpx.get(f"{self.query_url}/", timeout=5, trust_env=False)
        except httpx.HTTPError:
            return False
        # The real page loads its script from here; the module's placeholder loads nothing.
        return "static/" in page.text

    def ui_link(self, trace_id: str) -> str:
        """Return the page of a trace; empty where this Jaeger has no pages."""
        return f"{self.query_url}/trace/{trace_id}" if self.has_ui() else ""

    def describe(self) -> str:
        """Say in one line what runs, where and as whom."""
        if self._elsewhere:
            return self.settings.url or self.settings.endpoint
        state = self._running()
        if state is None:
            return "does not run"
        process = state.process()
        who = f"process {state.pid}, user {process.username()}" if process else state.container
        return f"{self.query_url} ({who}; {state.storage} storage)"

    @contextmanager
    def building(self) -> Iterator[None]:
        """Build in the background while a block runs, where it must be built at all."""
        if self.source.kind is Kind.BUILD and not self.build.is_there() and not self.runner.dry:
            # `start` waits for it, or builds again and raises what went wrong.
            threading.Thread(target=self._build_quietly, daemon=True).start()
        yield

    def _build_quietly(self) -> None:
        try:
            self.build.make()
        except MoorError as problem:
            ui.warn(problem.fact)

    def start(self) -> None:
        """Start it unless it runs, and wait until it takes spans and answers queries.

        :raises NotReadyError: with its last log lines.
        """
        if not self.source.ours or self._running() is not None:
            return
        self.plan()
        state = self.file.read()
        if state is None:
            return
        program = "" if self.source.kind is Kind.IMAGE else self._program()
        with ui.working("Starting Jaeger"):
            self._launch(state, program)
            self._wait()
        ui.good(f"Jaeger answers at {self.query_url}")

    def _launch(self, state: State, program: str) -> None:
        self.layout.logs.mkdir(parents=True, exist_ok=True)
        users.hand_over(self.layout.data / "jaeger", self.user)
        if not program:
            self.file.write(replace(state, container=self._container(state)))
            return
        pid = self.runner.start(
            [program, *_config(self._configuration(), self.settings)],
            cwd=self.layout.data / "jaeger",
            env=self._environ(state, HOST, str(self.layout.data / "jaeger")),
            log=self._log,
            user=self.user,
        )
        self.file.write(replace(state, pid=pid, started=masters.began(pid)))

    def _container(self, state: State) -> str:
        name = f"moorings-{self.layout.name}-jaeger"
        docker.remove(self.runner, name, grace=0)
        command = _config(Path("/etc/jaeger"), self.settings)
        env = self._environ(state, "0.0.0.0", "/tmp")
        mounts = {self._configuration(): "/etc/jaeger"}
        argv = docker.run_argv(name, self.source.what, command, env, state.ports, mounts)
        self.runner.run(argv, timeout=60)
        return name

    @property
    def _log(self) -> Path:
        return self.layout.logs / "jaeger.log"

    def _configuration(self) -> Path:
        """Copy it to where the service's user can read it, which the clone may not allow."""
        place = self.layout.home / "jaeger"
        place.mkdir(parents=True, exist_ok=True)
        for file in self.parts.glob("*.yaml"):
            shutil.copy(file, place / file.name)
        return place

    def _environ(self, state: State, listen: str, folder: str) -> dict[str, str]:
        return {
            "JAEGER_LISTEN": listen,
            "JAEGER_STORAGE": state.storage,
            "JAEGER_MAX_TRACES": str(self.settings.max_traces),
            "JAEGER_BADGER_DIR": folder,
            **{f"JAEGER_{name.upper()}_PORT": str(port) for name, port in state.ports.items()},
        }

    def _program(self) -> str:
        built = self.source.kind is Kind.BUILD
        program = self.build.make() if built else Path(self.source.what).absolute()
        if self.user is None:
            return str(program)
        return str(_copied(program, self.layout.bin / (f"jaeger-{VERSION}" if built else "jaeger")))

    def _wait(self) -> None:
        state = self.file.read()
        assert state is not None
        health = probe.Http(f"http://{HOST}:{state.ports['health']}/status")
        query = probe.Http(f"{self.query_url}/api/services")

        def answers() -> bool | None:
            if self._running() is None:
                return False
            return True if health() and query() else None

        try:
            if probe.until(answers, what="Jaeger to answer", timeout=BOOT, last=query.last):
                return
            raise NotReadyError("Jaeger ended while it started")
        except NotReadyError as problem:
            problem.log = self.logs(30)
            problem.hint = "see its last lines above; the app runs without it"
            self.stop()
            raise

    def _running(self) -> State | None:
        state = self.file.read()
        if state is None:
            return None
        if state.container:
            return state if docker.is_running(self.runner, state.container) else None
        return state if state.process() is not None else None

    def logs(self, lines: int = 100) -> str:
        """Return its newest log lines."""
        state = self.file.read()
        if state is not None and state.container:
            return docker.logs(self.runner, state.container, lines)
        return tail(self._log, lines)

    def stop(self, volumes: bool = False) -> None:
        """Stop what was started here; stored traces are kept unless `volumes`."""
        state = self.file.read()
        if state is None or self.runner.dry:
            return
        if state.container:
            docker.remove(self.runner, state.container, GRACE)
        process = state.process()
        if process is not None:
            _end(process)
        self.file.file.unlink(missing_ok=True)
        shutil.rmtree(self.layout.home / "jaeger", ignore_errors=True)
        self._log.unlink(missing_ok=True)
        if volumes:
            shutil.rmtree(self.layout.data / "jaeger", ignore_errors=True)


def _wanted(settings: Settings) -> dict[str, int]:
    return {name: getattr(settings, f"{name}_port") for name in PORTS}


def _free(name: str, port: int) -> int:
    """Return the port if nobody has it, else a free one."""
    kind = socket.SOCK_DGRAM if name == "thrift_compact" else socket.SOCK_STREAM
    return port if ports.is_free(HOST, port, kind) else ports.free(HOST, kind)


def _config(folder: Path, settings: Settings) -> list[str]:
    files = ["jaeger.yaml", *(["badger.yaml"] if settings.storage == "badger" else [])]
    return [word for file in files for word in ("--config", str(folder / file))]


def _copied(program: Path, to: Path) -> Path:
    """Copy a program to where the service's user can read it, as root's own cache is not."""
    if to.exists() and to.stat().st_mtime >= program.stat().st_mtime:
        return to
    to.parent.mkdir(parents=True, exist_ok=True)
    fresh = to.with_suffix(".new")
    shutil.copy(program, fresh)
    fresh.chmod(0o755)
    fresh.replace(to)
    return to


def _end(process: psutil.Process) -> None:
    process.terminate()
    _, left = psutil.wait_procs([process], timeout=GRACE)
    for one in left:
        one.kill()
    psutil.wait_procs(left, timeout=5)
