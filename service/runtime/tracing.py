"""The standard OpenTelemetry SDK, set up for a server that forks, drains and must not be slowed."""

import atexit
import functools
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from runtime import databases, exporters, measured, outgoing
from runtime.metrics import Metrics
from runtime.settings import Settings

# A collector that is down may hold a worker's exit for this long; requests that end after the
# first flush have what is left of it, and this much at least.
FLUSH_SECONDS = 3.0
_LAST_SECONDS = 0.5
_MAX_QUEUE = 2048
# A metric costs more than the span's place in the queue.
_SHOWN_EVERY = 16
# Said once a minute, as all that OpenTelemetry says.
_log = logging.getLogger("opentelemetry.exporter")


# Besides the tracer provider: the one of the meters, where there is one.
_meters: list[MeterProvider] = []


class Ledger(SpanExporter):
    """Counts what becomes of the spans that `inner` is given."""

    def __init__(self, inner: SpanExporter, metrics: Metrics) -> None:
        self._inner = inner
        self._metrics = metrics
        self._lock = threading.Lock()
        self._waiting = self._shown = 0

    def admit(self, room: int) -> bool:
        """Return whether there is room for one more span, and count it among those that wait."""
        with self._lock:
            if self._waiting < room:
                self._waiting += 1
                if self._waiting % _SHOWN_EVERY == 0:
                    self._show()
                return True
        self._metrics.dropped.labels("queue_full").inc()
        return False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._lock:
            self._waiting -= len(spans)
            self._show()
        try:
            result = self._inner.export([databases.without_values(span) for span in spans])
        except Exception as error:
            # Some exporters raise where they should say no, the Jaeger exporter for one.
            _log.error("spans were not taken: %s: %s", type(error).__name__, error)
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self._metrics.exported.inc(len(spans))
        else:
            self._metrics.dropped.labels("export_failed").inc(len(spans))
        return result

    def _show(self) -> None:
        self._metrics.waiting.inc(self._waiting - self._shown)
        self._shown = self._waiting

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


def start(settings: Settings, metrics: Metrics) -> trace.Tracer:
    """Set the process's tracer provider up, flushed at its exit; returns the runtime's tracer.

    To be called in the process that serves, after any fork: the resource names its pid.
    """
    provider = make_provider(settings, metrics)
    trace.set_tracer_provider(provider)
    meters = measured.start(settings, metrics, provider.resource)
    if meters:
        _meters.append(meters)
    atexit.register(close, provider)
    # The names of the stable conventions, in what the instrumentations say too.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    databases.watch(metrics)
    outgoing.trace(settings.trace_calls)
    return provider.get_tracer("moorings.runtime", settings.release)


def make_provider(settings: Settings, metrics: Metrics) -> TracerProvider:
    """Build a provider with the exporters of OTEL_TRACES_EXPORTER; the caller closes it."""
    # The SDK's own exit handler waits 30 s for a collector that does not answer.
    provider = TracerProvider(resource=_resource(settings), shutdown_on_exit=False)
    provider.add_span_processor(databases.Names())
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
        _within(seconds, lambda: [provider.force_flush(), *(one.force_flush() for one in _meters)])


def close(provider: TracerProvider, seconds: float = FLUSH_SECONDS) -> None:
    """Flush and end `provider`, in what is left of the `seconds` that an exit may take."""
    spent = time.monotonic() - _exit_began()
    left = max(_LAST_SECONDS, seconds - spent)
    _within(left, functools.partial(_shut, provider))


def _shut(provider: TracerProvider) -> None:
    provider.shutdown()
    for one in _meters:
        one.shutdown()


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
        "deployment.environment.name": settings.environment,
    }
    return Resource.create(own).merge(OTELResourceDetector().detect())
