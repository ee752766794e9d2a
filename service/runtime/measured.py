"""The same metrics by OTLP, where OTEL_METRICS_EXPORTER asks for it: each worker sends its own."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics as api
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.resources import Resource

from runtime import backlog
from runtime.metrics import BOUNDS, About, Metrics
from runtime.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider

_UNIT = "{request}"
_ATTRIBUTES = (
    "http.request.method",
    "url.scheme",
    "http.route",
    "http.response.status_code",
    "error.type",
)


def start(settings: Settings, metrics: Metrics, resource: Resource) -> "MeterProvider | None":
    """Set the process's meter provider up, if it is wanted; the app's own meters use it too."""
    if not settings.otel_metrics_exporter:
        return None
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    provider = MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
    api.set_meter_provider(provider)
    meter = provider.get_meter("moorings.runtime", settings.release)
    _mirror(meter, metrics)
    _say(meter, settings)
    return provider


def _mirror(meter: Meter, metrics: Metrics) -> None:
    duration = meter.create_histogram(
        "http.server.request.duration",
        unit="s",
        description="Duration of HTTP server requests.",
        explicit_bucket_boundaries_advisory=BOUNDS,
    )

    def observe(about: About, seconds: float) -> None:
        # A route or an error that there is not has an empty label, and no attribute.
        values: tuple[str | int, ...] = about
        named = zip(_ATTRIBUTES, values, strict=True)
        duration.record(seconds, {name: value for name, value in named if value != ""})

    metrics.also = observe
    for make, name, unit, source in (
        (meter.create_observable_up_down_counter, "http.server.active_requests", _UNIT,
         metrics.active),
        (meter.create_observable_up_down_counter, "db.client.connection.count", "{connection}",
         metrics.connections),
        (meter.create_observable_up_down_counter, "moorings.requests.waiting", _UNIT,
         metrics.queued),
        (meter.create_observable_up_down_counter, "otel.spans.waiting", "{span}", metrics.waiting),
        (meter.create_observable_counter, "otel.spans.exported", "{span}", metrics.exported),
        (meter.create_observable_counter, "otel.spans.dropped", "{span}", metrics.dropped),
    ):  # fmt: skip
        make(name, callbacks=[_reading(source)], unit=unit)


def _say(meter: Meter, settings: Settings) -> None:
    """Say what each worker is: their sums are the workers that run, and that have started."""
    meter.create_observable_up_down_counter(
        "moorings.workers", callbacks=[lambda _: [Observation(1)]], unit="{worker}"
    )
    meter.create_observable_counter(
        "moorings.worker.starts", callbacks=[lambda _: [Observation(1)]], unit="{worker}"
    )
    build = {"release": settings.release, "commit": settings.commit, "server": settings.server}
    meter.create_observable_gauge(
        "moorings.build.info", callbacks=[lambda _: [Observation(1, build)]]
    )
    # The queue is the server's: each worker says the same.
    meter.create_observable_gauge(
        "moorings.connections.waiting", callbacks=[_waiting], unit="{connection}"
    )


def _waiting(_options: CallbackOptions) -> Iterable[Observation]:
    for family in backlog.metrics():
        for sample in family.samples:
            yield Observation(sample.value)


def _reading(source: Any) -> Callable[[CallbackOptions], Iterable[Observation]]:
    """Return what reads a metric of Prometheus, as far as this process has counted it."""

    def read(_options: CallbackOptions) -> Iterable[Observation]:
        for family in source.collect():
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    yield Observation(sample.value, _named(sample.labels))

    return read


def _named(labels: dict[str, str]) -> dict[str, str]:
    """Return labels by the names of the conventions, which have dots."""
    return {name.replace("db_client_connection_", "db.client.connection."): value
            for name, value in labels.items()}  # fmt: skip
