"""The standard OpenTelemetry SDK, set up for a server that forks, drains and must not be slowed."""

import atexit
import contextlib
import functools
import importlib.util
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from runtime import exporters
from runtime.metrics import Metrics
from runtime.settings import Settings

# A collector that is down may hold a worker's exit for this long; requests that end after the
# first flush have what is left of it, and this much at least.
FLUSH_SECONDS = 3.0
_LAST_SECONDS = 0.5
_MAX_QUEUE = 2048
# Said once a minute, as all that OpenTelemetry says.
_log = logging.getLogger("opentelemetry.exporter")


class Ledger(SpanExporter):
    """Counts what becomes of the spans that `inner` is given."""

    def __init__(self, inner: SpanExporter, metrics: Metrics) -> None:
        self._inner = inner
        self._metrics = metrics
        self._lock = threading.Lock()
        self._waiting = 0

    def admit(self, room: int) -> bool:
        """Return whether there is room for one more span, and count it among those that wait."""
        with self._lock:
            if self._waiting < room:
                self._waiting += 1
                return True
        self._metrics.dropped.labels("queue_full").inc()
        return False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._lock:
            self._waiting -= len(spans)
        try:
            result = self._inner.export(spans)
        except Exception as error:
            # Some exporters raise where they should say no, the Jaeger exporter for one.
            _log.error("spans were not taken: %s: %s", type(error).__name__, error)
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self._metrics.exported.inc(len(spans))
        else:
            self._metrics.dropped.labels("export_failed").inc(len(spans))
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._inner.force_flush(timeout_millis)


class CountedProcessor(BatchSpanProcessor):
    """The SDK's batch processor, which drops uncounted, behind a ledger that counts."""

    def __init__(self, ledger: Ledger, room: int) -> None:
        super().__init__(ledger, max_queue_size=room)
        self._ledger = ledger
        self._room = room

    def on_end(self, span: ReadableSpan) -> None:
        sampled = span.context and span.context.trace_flags.sampled
        if sampled and self._ledger.admit(self._room):
            super().on_end(span)


class DatabaseNames(SpanProcessor):
    """Keep folders out of the names of SQLite's spans: `SELECT store.db`, on every machine."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        verb, _, database = span.name.partition(" ")
        if span.kind is trace.SpanKind.CLIENT and "/" in database:
            span.update_name(f"{verb} {os.path.basename(database)}")


def start(settings: Settings, metrics: Metrics) -> trace.Tracer:
    """Set the process's tracer provider up, flushed at its exit; returns the runtime's tracer.

    To be called in the process that serves, after any fork: the resource names its pid.
    """
    provider = make_provider(settings, metrics)
    trace.set_tracer_provider(provider)
    atexit.register(close, provider)
    _trace_database()
    return provider.get_tracer("moorings.runtime", settings.release)


def make_provider(settings: Settings, metrics: Metrics) -> TracerProvider:
    """Build a provider with the exporters of OTEL_TRACES_EXPORTER; the caller closes it."""
    # The SDK's own exit handler waits 30 s for a collector that does not answer.
    provider = TracerProvider(resource=_resource(settings), shutdown_on_exit=False)
    provider.add_span_processor(DatabaseNames())
    for name in settings.otel_traces_exporter:
        inner = exporters.make(name, settings)
        room = int(os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE") or _MAX_QUEUE)
        provider.add_span_processor(CountedProcessor(Ledger(inner, metrics), room))
    return provider


def flush(seconds: float = FLUSH_SECONDS) -> None:
    """Send the spans that have ended; gives up after `seconds`."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        _exit_began()
        # The SDK ignores the timeout that force_flush is given, hence the thread.
        _within(seconds, provider.force_flush)


def close(provider: TracerProvider, seconds: float = FLUSH_SECONDS) -> None:
    """Flush and end `provider`, in what is left of the `seconds` that an exit may take."""
    spent = time.monotonic() - _exit_began()
    _within(max(_LAST_SECONDS, seconds - spent), provider.shutdown)


@functools.cache
def _exit_began() -> float:
    return time.monotonic()


def _within(seconds: float, action: Callable[[], object]) -> None:
    thread = threading.Thread(target=action, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        # Python 3.12 and newer start no thread while they exit: then the SDK's own limits hold.
        action()
    else:
        thread.join(seconds)


def _resource(settings: Settings) -> Resource:
    """Name this worker; what the OTEL_ variables say wins."""
    module = settings.app.partition(":")[0]
    own: dict[str, str | int] = {
        "service.name": module.partition(".")[0],
        "service.version": settings.release,
        "service.instance.id": str(uuid.uuid4()),
        "process.pid": os.getpid(),
        "webengine.name": settings.server,
    }
    return Resource.create(own).merge(OTELResourceDetector().detect())


def _trace_database() -> None:
    """Give SQLAlchemy's statements spans, where there is SQLAlchemy; parameters stay out."""
    if importlib.util.find_spec("sqlalchemy") is None:
        return
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor

    # Its last step imports SQLAlchemy's asyncio part, which needs greenlet: where that is missing
    # there are no asyncio engines, and the others are traced by then.
    with contextlib.suppress(ImportError):
        # It declares "< 2.1" but works with 2.1; a unit test watches both.
        SQLAlchemyInstrumentor().instrument(skip_dep_check=True)
