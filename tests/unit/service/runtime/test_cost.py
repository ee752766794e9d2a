"""What the runtime does for a request, in calls of Python: exact, where times are noise.

`make bench` says what it costs; this keeps a change from making it dearer unseen.
"""

import gc
import sys
from collections.abc import Callable, Iterable
from types import FrameType, SimpleNamespace
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, TraceFlags
from prometheus_client import CollectorRegistry
from sqlalchemy import create_engine, text

from runtime import databases, otlp, spans
from runtime.logs import Lines
from runtime.metrics import Metrics
from runtime.settings import Settings
from runtime.telemetry import Telemetry
from runtime.tracing import CountedProcessor, Ledger


def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def ask(layer: Any) -> None:
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/items/7", "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "shop", "SERVER_PORT": "80", "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http", "HTTP_USER_AGENT": "test",
        # As Flask leaves its request, which is asked for its route.
        "werkzeug.request": SimpleNamespace(url_rule=SimpleNamespace(rule="/items/<int:shelf>")),
    }  # fmt: skip
    answer = layer(environ, lambda *_about: None)
    assert b"".join(answer) == b"ok"
    getattr(answer, "close", int)()


def calls(work: Callable[[], object]) -> int:
    """Return how many functions written in Python are called."""
    count = 0

    def note(_frame: FrameType, event: str, _about: object) -> None:
        nonlocal count
        count += event == "call"

    # What earlier tests left is not of this work: collecting it calls functions too.
    gc.disable()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


@pytest.mark.parametrize(("sampler", "most"), [("always_on", 60), ("always_off", 47)])
def test_a_request_costs_so_many_calls(
    monkeypatch: pytest.MonkeyPatch, make_log: Any, sampler: str, most: int
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    settings = Settings(log_format="json")
    sums = Metrics(settings, CollectorRegistry())
    provider = spans.Provider(Resource({}))
    processor = CountedProcessor(Ledger(InMemorySpanExporter(), sums, "otlp"), 2048)
    provider.add_own(processor)
    lines = Lines(settings, make_log().descriptor, at_once=False)
    layer = Telemetry(app, spans.LightTracer(provider, "runtime", "1"), sums, lines)
    for _ in range(3):
        ask(layer)
    bare = calls(lambda: ask(app))
    found = calls(lambda: ask(layer)) - bare
    processor.shutdown()
    lines.close()
    assert 20 < found <= most


def test_a_span_costs_so_many_calls_to_send() -> None:
    tracer = spans.LightTracer(spans.Provider(Resource({})), "runtime", "1")
    made = []
    for _ in range(3):
        span = tracer.begin("GET", spans.Context(), lambda: {"url.path": "/", "server.port": 80})
        span.end()
        made.append(span)
    otlp.encode(made)
    assert calls(lambda: otlp.encode(made)) - calls(lambda: otlp.encode(made[:1])) <= 2 * 12


@pytest.mark.parametrize(("sampled", "most"), [(1, 10), (0, 4)])
def test_a_statement_costs_so_many_calls(sampled: int, most: int) -> None:
    """OpenTelemetry's own instrumentation makes 107, and 87 where nothing is sampled."""
    tracer = spans.LightTracer(spans.Provider(Resource({})), "runtime", "1")
    statements = databases.Statements(tracer)
    above = trace.NonRecordingSpan(SpanContext(1, 2, False, TraceFlags(sampled)))
    sql = text("SELECT :number")
    with create_engine("sqlite://").connect() as connection:

        def execute() -> None:
            assert connection.execute(sql, {"number": 7}).scalar() == 7

        bare = [calls(execute) for _ in range(3)][-1]
        statements.listen()
        token = contexts.attach(trace.set_span_in_context(above, spans.Context()))
        try:
            found = [calls(execute) for _ in range(3)][-1] - bare
        finally:
            contexts.detach(token)
            statements.end()
    assert 0 < found <= most
