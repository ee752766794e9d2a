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

from runtime import databases, exporters, logs, measured, outgoing, spans
from runtime.metrics import Metrics
from runtime.settings import Settings, queue

# A collector that is down may hold a worker's exit for this long; requests that end after the
# first flush have what is left of it, and this much at least.
FLUSH_SECONDS = 3.0
_LAST_SECONDS = 0.5
# A metric costs more than the span's place in the queue.
_SHOWN_EVERY = 16
# Said once a minute, as all that OpenTelemetry says.
_log = logging.getLogger("opentelemetry.exporter")


# Besides the tracer provider: the one of the meters, where there is one.
_meters: list[MeterProvider] = []


class Ledger(SpanExporter):
    """Counts what becomes of the spans that `inner` is given, by its name."""

    def __init__(self, inner: SpanExporter, metrics: Metrics, name: str) -> None:
        self._inner = inner
        self._exported = metrics.exported.labels(name)
        self._dropped = functools.partial(metrics.dropped.labels, name)
        self._waiters = metrics.waiting.labels(name)
        self._takes_light = exporters.takes_light(inner)
        self._lock = threading.Lock()
        self._waiting = self._shown = self._sending = 0
        self._closed = self._gave_up = False

    def admit(self, room: int) -> bool:
        """Return whether there is room for one more span, and count it among those that wait."""
        with self._lock:
            closed = self._closed
            if not closed and self._waiting < room:
                self._waiting += 1
                if self._waiting % _SHOWN_EVERY == 0:
                    self._show()
                return True
        self._dropped("ended" if closed else "queue_full").inc()
        return False

    def close(self) -> None:
        """Admit no more: what is sent is sent for the last time."""
        with self._lock:
            self._closed = True

    def give_up(self) -> None:
        """Count what waits, and what no answer has come for, as lost: this process ends."""
        with self._lock:
            self._closed = self._gave_up = True
            lost, self._waiting, self._sending = self._waiting + self._sending, 0, 0
            self._show()
        if lost:
            self._dropped("ended").inc(lost)

    def export(self, batch: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._lock:
            if self._gave_up:
                return SpanExportResult.FAILURE
            self._waiting -= len(batch)
            self._sending += len(batch)
            self._show()
        try:
            result = self._inner.export([self._made(span) for span in batch])
        except Exception as error:
            # Some exporters raise where they should say no, the Jaeger exporter for one.
            _log.error("spans were not taken: %s: %s", type(error).__name__, error)
            result = SpanExportResult.FAILURE
        self._settle(len(batch), result is SpanExportResult.SUCCESS)
        return result

    def _settle(self, spans: int, taken: bool) -> None:
        """Count spans that an answer has come for, unless they are counted as lost."""
        with self._lock:
            if self._gave_up:
                return
            self._sending -= spans
        if taken:
            self._exported.inc(spans)
        else:
            self._dropped("export_failed").inc(spans)

    def _made(self, span: ReadableSpan) -> ReadableSpan:
        """Return what the exporter may see of a span; our own encoder takes light ones."""
        said = span.attributes or {}
        changes = databases.without_values(said) if "db.query.text" in said else {}
        if "url.full" in said or "http.url" in said:
            changes |= outgoing.without_query(said)
        clean = spans.changed(span, changes)
        return clean if self._takes_light else spans.readable(clean)

    def _show(self) -> None:
        self._waiters.inc(self._waiting - self._shown)
        self._shown = self._waiting

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._inner.force_flush(timeout_millis)


class CountedProcessor(BatchSpanProcessor):
    """The SDK's batch processor, which drops uncounted, behind a ledger that counts."""

    def __init__(self, ledger: Ledger, room: int) -> None:
        batch = min(queue(os.environ)[1], room)
        super().__init__(ledger, max_queue_size=room, max_export_batch_size=batch)
        self._ledger = ledger
        self._room = room

    def on_end(self, span: ReadableSpan) -> None:
        sampled = span.context and span.context.trace_flags.sampled
        if sampled and self._ledger.admit(self._room):
            super().on_end(span)

    def shutdown(self) -> None:
        self._ledger.close()
        super().shutdown()  # type: ignore[no-untyped-call]

    def give_up(self) -> None:
        """Count as lost what has not been sent."""
        self._ledger.give_up()


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
    tracer = spans.LightTracer(provider, "moorings.runtime", settings.release)
    databases.watch(metrics, tracer)
    outgoing.trace(settings.trace_calls)
    return tracer


def make_provider(settings: Settings, metrics: Metrics) -> spans.Provider:
    """Build a provider with the exporters of OTEL_TRACES_EXPORTER; the caller closes it."""
    provider = spans.Provider(_resource(settings))
    for name in settings.otel_traces_exporter:
        inner = exporters.make(name, settings)
        provider.add_own(CountedProcessor(Ledger(inner, metrics, name), queue(os.environ)[0]))
    return provider


def flush(seconds: float = FLUSH_SECONDS) -> None:
    """Send the lines and spans of what has ended; gives up after `seconds`."""
    logs.flush()
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
    give_up(provider)


def give_up(provider: trace.TracerProvider | None = None) -> None:
    """Count the spans that have not been sent as lost: nothing is sent after this."""
    for one in getattr(provider or trace.get_tracer_provider(), "own", ()):
        one.give_up()


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
