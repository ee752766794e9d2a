"""A collector that takes real OTLP, a log that can be read, and a server that can be started."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIApplication

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest
from werkzeug.test import Client, TestResponse

from runtime import spans
from runtime.logs import Lines
from runtime.metrics import Metrics
from runtime.settings import Settings
from runtime.telemetry import Telemetry

REPOSITORY = Path(__file__).parents[4]
APPS = Path(__file__).parent / "apps"
SECONDS = 20.0


def until(condition: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """Poll until `condition` gives something true, which is returned."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return found


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP and keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receive)
        self.spans: list[Any] = []
        self.resources: list[dict[str, Any]] = []
        self.points: dict[tuple[str, str], list[Any]] = {}
        self.url = f"http://127.0.0.1:{self.server_port}"

    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def measured(self, body: bytes) -> None:
        """Keep the newest points of each worker, by metric."""
        for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            worker = attributes(group.resource)["service.instance.id"]
            for scope in group.scope_metrics:
                for metric in scope.metrics:
                    data = getattr(metric, str(metric.WhichOneof("data")))
                    self.points[worker, metric.name] = list(data.data_points)

    def of(self, name: str) -> list[Any]:
        """Return the points of a metric, of all workers."""
        return [point for key, found in self.points.items() if key[1] == name for point in found]

    def named(self, name: str) -> Any:
        return until(
            lambda: next((span for span in self.spans if span.name == name), None), f"span {name}"
        )


class _Receive(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/metrics"):
            self.server.measured(body)
            body = b""
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.server.resources.append(attributes(group.resource))
            for scope in group.scope_spans:
                self.server.spans.extend(scope.spans)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def attributes(holder: Any) -> dict[str, Any]:
    """Return the attributes of a span or resource of the protocol."""
    return {
        item.key: getattr(item.value, str(item.value.WhichOneof("value")))
        for item in holder.attributes
    }


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Log:
    """A stream for lines, and what was written to it."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path = path
        self.descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self.stream = Lines(settings, self.descriptor)

    def text(self) -> str:
        return self._path.read_text()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def make_log(tmp_path: Path) -> Iterator[Callable[..., Log]]:
    made: list[Log] = []

    def make(**changes: Any) -> Log:
        made.append(
            Log(tmp_path / f"log{len(made)}", Settings(**({"log_format": "json"} | changes)))
        )
        return made[-1]

    yield make
    for log in made:
        os.close(log.descriptor)


class Layer:
    """The telemetry layer around an app, with all that it leaves behind."""

    def __init__(self, log: Log, is_light: bool) -> None:
        self.log = log
        self.registry = CollectorRegistry()
        self._metrics = Metrics(Settings(), self.registry)
        self._exporter = InMemorySpanExporter()
        processor = SimpleSpanProcessor(self._exporter)
        provider = spans.Provider(Resource({}))
        self._tracer: trace.Tracer = spans.LightTracer(provider, "test", "")
        if is_light:
            provider.add_own(processor)
        else:
            # Whose processors see every span of the SDK's.
            provider.add_span_processor(processor)

    def around(self, app: WSGIApplication, **more: Any) -> Telemetry:
        return Telemetry(app, self._tracer, self._metrics, self.log.stream, "test-server", **more)

    def ask(self, app: WSGIApplication, path: str, **more: Any) -> TestResponse:
        """Send one request and read its answer to the end, as a server does."""
        return Client(self.around(app)).open(path, buffered=True, **more)

    def spans(self) -> tuple[Any, ...]:
        return tuple(map(spans.readable, self._exporter.get_finished_spans()))

    def metrics(self) -> str:
        return generate_latest(self.registry).decode()


@pytest.fixture(params=[True, False], ids=["light spans", "spans of the SDK"])
def layer(make_log: Callable[..., Log], request: pytest.FixtureRequest) -> Layer:
    return Layer(make_log(), request.param)


# Puts the listening socket where LISTEN_FDS says that it is, as systemd and supervisors do.
_HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


class Server:
    """A Gunicorn of its own, started as an operator would by hand, or on an open `listener`."""

    def __init__(
        self,
        folder: Path,
        environ: dict[str, str],
        listener: socket.socket | None = None,
    ) -> None:
        self.port = _free_port()
        self.ready_dir = folder / "ready"
        self._log = (folder / "stdout").open("wb")
        self._stderr = (folder / "stderr").open("wb")
        self._folder = folder
        command = ["-m", "gunicorn", "-c", "deploy/gunicorn/gunicorn.conf.py"]
        opened = [listener.fileno()] if listener else []
        before = ["-c", _HAND_OVER, str(opened[0])] if opened else []
        self.process = subprocess.Popen(
            [sys.executable, *before, *command],
            cwd=REPOSITORY,
            env=_environ(self, environ),
            stdout=self._log,
            stderr=self._stderr,
            pass_fds=opened,
        )

    until = staticmethod(until)

    def wait_ready(self, workers: int) -> list[int]:
        """Wait until so many workers have booted; returns their pids."""
        until(lambda: len(self.pids()) >= workers or self.process.poll() is not None, "workers")
        assert self.process.poll() is None, self.stdout() + self.stderr()
        return self.pids()

    def pids(self) -> list[int]:
        return [int(path.name) for path in self.ready_dir.glob("*")]

    def ask(self, path: str, method: str = "GET", **more: Any) -> tuple[HTTPResponse, bytes]:
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)) as client:
            client.request(method, path, **more)
            response = client.getresponse()
            return response, response.read()

    def stop(self, signal_number: int = 15) -> float:
        """Signal the master and wait for its end; returns the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal_number)
        self.process.wait(SECONDS)
        return time.monotonic() - began

    def stop_during(self, requests: Iterable[Future[Any]], end: Path) -> None:
        """Stop while requests run that end once there is a file, which is made only then."""
        assert not any(future.done() for future in requests)
        self.process.send_signal(signal.SIGTERM)
        until(lambda: "Handling signal: term" in self.stdout(), "the stop to begin")
        end.touch()
        self.process.wait(SECONDS)

    def stdout(self) -> str:
        return (self._folder / "stdout").read_text()

    def stderr(self) -> str:
        return (self._folder / "stderr").read_text()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout().splitlines()]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(SECONDS)
        self._log.close()
        self._stderr.close()


def _environ(server: Server, changes: dict[str, str]) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return (
        kept
        | {
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "service"), str(APPS)]),
            "APP": "shop:app",
            "BIND": f"127.0.0.1:{server.port}",
            "READY_DIR": str(server.ready_dir),
            "METRICS_DIR": str(server.ready_dir.with_name("metrics")),
            "RELEASE": "r1",
            "SERVER": "gunicorn-gthread",
            "OTEL_TRACES_EXPORTER": "none",
        }
        | changes
    )


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers that end with the test; variables are given in small letters."""
    started: list[Server] = []

    def begin(listener: socket.socket | None = None, **changes: str) -> Server:
        folder = tmp_path / f"server{len(started)}"
        folder.mkdir()
        environ = {name.upper(): value for name, value in changes.items()}
        started.append(Server(folder, environ, listener))
        return started[-1]

    yield begin
    for server in started:
        server.end()
