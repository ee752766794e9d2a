"""Prometheus metrics, named by OpenTelemetry's conventions and summed over a server's workers."""

import fcntl
import os
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runtime import backlog, cells
from runtime.settings import SettingError, Settings

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Histogram

# The bounds that OpenTelemetry's HTTP conventions advise, in seconds.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
# Those of https://opentelemetry.io/docs/specs/semconv/http/http-metrics/, in the order of `About`.
LABELS = (
    "http_request_method",
    "url_scheme",
    "http_route",
    "http_response_status_code",
    "error_type",
)
About = tuple[str, str, str, int, str]
_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class Metrics:
    """The runtime's own metrics; the app's, made with prometheus_client, appear beside them."""

    def __init__(self, settings: Settings, registry: "CollectorRegistry | None" = None) -> None:
        if settings.metrics_dir:
            # prometheus_client reads this when it is first imported, hence the late import.
            os.environ[_VARIABLE] = str(settings.metrics_dir)
            _make(settings.metrics_dir)
            from runtime import sums

            sums.settle(settings.metrics_dir)
        self._folder = settings.metrics_dir
        from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

        # With a folder the sums are read from its files, and this process keeps no registry.
        self._own = None if settings.metrics_dir else registry or REGISTRY
        registry = self._own or CollectorRegistry()
        self.duration = Histogram(
            "http_server_request_duration_seconds",
            "Time from when a worker takes a request up to the end of its answer.",
            LABELS,
            buckets=BOUNDS,
            registry=registry,
        )
        self.active = Gauge(
            "http_server_active_requests",
            "Requests that are being answered.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.queued = Gauge(
            "moorings_requests_waiting",
            "Requests that a worker has accepted, and none of its threads has begun.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.exported = Counter(
            "otel_spans_exported",
            "Spans that the collector took.",
            ("exporter",),
            registry=registry,
        )
        self.dropped = Counter(
            "otel_spans_dropped",
            "Spans that were lost: no room in the queue, not taken by the collector, or too late.",
            ("exporter", "reason"),
            registry=registry,
        )
        self.waiting = Gauge(
            "otel_spans_waiting",
            "Spans that wait for the collector.",
            ("exporter",),
            multiprocess_mode="livesum",
            registry=registry,
        )
        # Shown as 0 before the first one.
        for exporter in settings.otel_traces_exporter:
            self.exported.labels(exporter)
            self.waiting.labels(exporter)
            for reason in ("queue_full", "export_failed", "ended"):
                self.dropped.labels(exporter, reason)
        self.connections = Gauge(
            "db_client_connection_count",
            "Connections of the database pools, used or idle.",
            ("db_client_connection_state",),
            multiprocess_mode="livesum",
            registry=registry,
        )
        starts = Counter(
            "moorings_worker_starts",
            "Workers that have started; what exceeds moorings_workers was replaced.",
            registry=registry,
        )
        starts.inc()
        workers = Gauge(
            "moorings_workers",
            "Workers that run.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        workers.set(1)
        build = Gauge(
            "moorings_build_info",
            "Always 1; the labels say what runs.",
            ("release", "commit", "server"),
            multiprocess_mode="livemax",
            registry=registry,
        )
        build.labels(settings.release, settings.commit, settings.server).set(1)
        self._lock = threading.Lock()
        self._active = cells.of_gauge(self.active)
        self._timers: dict[About, _Timer] = {}
        self.also: Callable[[About, float], None] | None = None

    def begin(self) -> None:
        """Count a request among those that are being answered."""
        if self._active is None:
            self.active.inc()
            return
        with self._lock:
            cells.add((self._active, 1))

    def end(self, about: About, seconds: float) -> None:
        """Count a request that has been answered."""
        # Looking a child up by its labels costs more than observing it.
        timer = self._timers.get(about) or self._timer(about)
        if self._active is None or timer.cells is None:
            self.active.dec()
            timer.child.observe(seconds)
        else:
            total, buckets = timer.cells
            bucket = buckets[bisect_left(BOUNDS, seconds)]
            with self._lock:
                cells.add((self._active, -1), (total, seconds), (bucket, 1))
        if self.also:
            self.also(about, seconds)

    def _timer(self, about: About) -> "_Timer":
        child = self.duration.labels(*map(str, about))
        timer = self._timers[about] = _Timer(child, cells.of_histogram(child))
        return timer

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return the sums over all workers as the client accepts them, and their media type."""
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import choose_encoder

        registry = self._own
        if registry is None:
            registry = CollectorRegistry()
            registry.register(self)
        encode, media_type = choose_encoder(accept)
        return encode(registry), media_type

    def collect(self) -> Iterable[Any]:
        """Read what all workers count: what a registry of Prometheus asks for."""
        from prometheus_client.multiprocess import MultiProcessCollector

        from runtime import sums

        assert self._folder
        with sums.locked(self._folder, fcntl.LOCK_SH):
            files = sums.of_the_living(self._folder)
            yield from MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        yield from backlog.metrics()


class _Timer(NamedTuple):
    child: "Histogram"
    cells: tuple[cells.Cell, list[cells.Cell]] | None


def prepare(folder: Path) -> None:
    """Make the folder of a server's metrics, without what an earlier server left in it."""
    _make(folder)
    for left in folder.glob("*.db"):
        left.unlink(missing_ok=True)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"METRICS_DIR: cannot be made: {error}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SettingError(f"METRICS_DIR: {folder} may not be written to")


def forget(folder: Path, pid: int) -> None:
    """Drop the gauges of a worker that has ended; its counters stay in the sums."""
    for left in folder.glob(f"gauge_live*_{pid}.db"):
        left.unlink(missing_ok=True)
