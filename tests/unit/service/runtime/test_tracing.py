import json
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from prometheus_client import CollectorRegistry, generate_latest

from runtime import spans, tracing
from runtime.metrics import Metrics
from runtime.settings import Settings

SECONDS = 5.0


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(Settings(), registry)


@pytest.fixture(autouse=True)
def _fresh_exit() -> Iterator[None]:
    yield
    tracing._exit_began.cache_clear()


def test_spans_arrive_with_this_workers_resource(
    collector: Any, metrics: Metrics, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.version=theirs,team=fruit")
    settings = Settings(app="shop.web:app", release="r7", server="test")
    provider = tracing.make_provider(settings, metrics)
    provider.get_tracer("test").start_span("work").end()
    tracing.close(provider)
    assert collector.names() == ["work"]
    resource = collector.resources[0]
    assert resource["service.name"] == "shop"
    assert resource["service.version"] == "theirs"
    assert resource["team"] == "fruit"
    assert resource["webengine.name"] == "test"
    assert resource["process.pid"] > 0
    assert resource["service.instance.id"]
    assert 'otel_spans_exported_total{exporter="otlp"} 1.0' in generate_latest(registry).decode()


class Stuck(SpanExporter):
    """A collector that takes its time, then says no."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.began = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.began.set()
        time.sleep(self._seconds)
        return SpanExportResult.FAILURE


def test_lost_spans_are_counted(
    metrics: Metrics, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    provider = tracing.make_provider(Settings(otel_traces_exporter=()), metrics)
    ledger = tracing.Ledger(Stuck(0), metrics, "otlp")
    provider.add_own(tracing.CountedProcessor(ledger, room=512))
    tracer = provider.get_tracer("test")
    for _ in range(600):
        tracer.start_span("work").end()
    tracing.close(provider)
    tracer.start_span("late").end()
    sums = dict(line.rsplit(" ", 1) for line in generate_latest(registry).decode().splitlines())
    lost = [
        float(sums[f'otel_spans_dropped_total{{exporter="otlp",reason="{reason}"}}'])
        for reason in ("queue_full", "export_failed", "ended")
    ]
    assert sum(lost) == 601
    assert lost[2] == 1


def test_two_exporters_have_each_span_and_count_it_once_each(
    collector: Any, metrics: Metrics, registry: CollectorRegistry,
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    settings = Settings(otel_traces_exporter=("otlp", "console"))
    provider = tracing.make_provider(settings, metrics)
    span = spans.LightTracer(provider, "test", "").start_span("work")
    assert isinstance(span, spans.Light)
    span.end()
    tracing.close(provider)
    assert collector.names() == ["work"]
    assert [json.loads(line)["name"] for line in capfd.readouterr().out.splitlines()] == ["work"]
    text = generate_latest(registry).decode()
    for name in ("otlp", "console"):
        assert f'otel_spans_exported_total{{exporter="{name}"}} 1.0' in text


def test_a_queue_shorter_than_a_batch(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "256")
    provider = tracing.make_provider(Settings(otel_traces_exporter=("console",)), metrics)
    tracing.close(provider)


@pytest.mark.parametrize("name", ["url.full", "http.url"])
def test_a_call_leaves_without_its_query(
    collector: Any, metrics: Metrics, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    provider = tracing.make_provider(Settings(), metrics)
    address = "https://bank.example/pay?token=SECRET&api_key=K"
    provider.get_tracer("test").start_span("GET", attributes={name: address}).end()
    tracing.close(provider)
    said = {item.key: item.value.string_value for item in collector.named("GET").attributes}
    assert said == {name: "https://bank.example/pay"}


class Raising(SpanExporter):
    """Raises where others return a failure, as the Jaeger exporter does."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise ConnectionRefusedError


def test_spans_that_an_exporter_raises_for_are_lost_too(
    metrics: Metrics, registry: CollectorRegistry
) -> None:
    spans: list[Any] = [object(), object()]
    assert tracing.Ledger(Raising(), metrics, "otlp").export(spans) is SpanExportResult.FAILURE
    assert (
        'otel_spans_dropped_total{exporter="otlp",reason="export_failed"} 2.0'
        in generate_latest(registry).decode()
    )


def test_a_collector_that_hangs_does_not_hold_the_exit(
    metrics: Metrics, registry: CollectorRegistry
) -> None:
    provider = tracing.make_provider(Settings(otel_traces_exporter=()), metrics)
    exporter = Stuck(20)
    provider.add_own(tracing.CountedProcessor(tracing.Ledger(exporter, metrics, "otlp"), room=512))
    tracer = provider.get_tracer("test")
    # One batch is on its way, and the rest waits behind it.
    for _ in range(512):
        tracer.start_span("work").end()
    assert exporter.began.wait(SECONDS)
    for _ in range(88):
        tracer.start_span("work").end()
    began = time.monotonic()
    tracing.close(provider, seconds=0.6)
    assert time.monotonic() - began < 5
    text = generate_latest(registry).decode()
    assert 'otel_spans_dropped_total{exporter="otlp",reason="ended"} 600.0' in text
    assert 'otel_spans_waiting{exporter="otlp"} 0.0' in text


def test_what_is_counted_as_lost_is_not_counted_again(
    metrics: Metrics, registry: CollectorRegistry
) -> None:
    provider = tracing.make_provider(Settings(otel_traces_exporter=()), metrics)
    exporter = Stuck(0.5)
    ledger = tracing.Ledger(exporter, metrics, "otlp")
    provider.add_own(tracing.CountedProcessor(ledger, room=512))
    sending = threading.Thread(target=provider.force_flush)
    provider.get_tracer("test").start_span("work").end()
    sending.start()
    assert exporter.began.wait(SECONDS)
    tracing.give_up(provider)
    sending.join(SECONDS)
    text = generate_latest(registry).decode()
    assert 'reason="ended"} 1.0' in text
    assert 'reason="export_failed"} 0.0' in text


def test_the_sdk_can_be_switched_off(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    provider = tracing.make_provider(Settings(otel_traces_exporter=()), metrics)
    span = provider.get_tracer("test").start_span("work")
    assert not span.is_recording()
    assert not span.get_span_context().is_valid
