"""Our encoder says what the stock one says, of any span."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

from runtime import otlp, spans

_TEXTS = some.text(some.characters(exclude_categories=["Cs"]), max_size=300)
_NAMES = _TEXTS.filter(bool)
_PLAIN = (
    _TEXTS
    | some.booleans()
    | some.integers(min_value=-(2**63), max_value=2**63 - 1)
    | some.floats(allow_nan=False)
)
_VALUES = _PLAIN | some.lists(_PLAIN, max_size=4).map(tuple) | some.binary(max_size=9)
_ATTRIBUTES = some.dictionaries(_NAMES, _VALUES, max_size=8)
_STATES = some.just(None) | some.just(TraceState([("vendor", "1")]))
_CONTEXTS = some.builds(
    SpanContext,
    trace_id=some.integers(min_value=1, max_value=2**128 - 1),
    span_id=some.integers(min_value=1, max_value=2**64 - 1),
    is_remote=some.booleans(),
    trace_flags=some.sampled_from([TraceFlags(0), TraceFlags(1), TraceFlags(3)]),
    trace_state=_STATES,
)
_TIMES = some.integers(min_value=0, max_value=2**63)
_RESOURCES = some.builds(Resource, _ATTRIBUTES, some.sampled_from(["", "https://schema"]))
_SCOPES = some.builds(
    InstrumentationScope, _NAMES, some.none() | _TEXTS, some.sampled_from(["", "https://schema"])
)
_STATUSES = some.just(Status()) | some.builds(
    Status, some.just(StatusCode.ERROR), some.none() | _TEXTS
) | some.just(Status(StatusCode.OK))  # fmt: skip
_SPANS = some.builds(
    ReadableSpan,
    name=_TEXTS,
    context=_CONTEXTS,
    parent=some.none() | _CONTEXTS,
    resource=_RESOURCES,
    attributes=_ATTRIBUTES,
    events=some.lists(some.builds(Event, _NAMES, _ATTRIBUTES, _TIMES), max_size=1),
    links=some.lists(some.builds(Link, _CONTEXTS, _ATTRIBUTES), max_size=1),
    kind=some.sampled_from(SpanKind),
    status=_STATUSES,
    start_time=_TIMES,
    end_time=_TIMES,
    instrumentation_scope=some.none() | _SCOPES,
)


def _flat(request: bytes) -> list[Any]:
    """Return what a collector reads, span by span: how they are grouped means nothing."""
    found = ExportTraceServiceRequest.FromString(request)
    return sorted(
        (
            *(part.SerializeToString(deterministic=True) for part in
              (one.resource, scope.scope, span)),
            one.schema_url, scope.schema_url,
        )
        for one in found.resource_spans for scope in one.scope_spans for span in scope.spans
    )  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(some.lists(_SPANS, max_size=5))
def test_a_collector_reads_the_same(spans: list[ReadableSpan]) -> None:
    ours, theirs = otlp.encode(spans), encode_spans(spans).SerializePartialToString()
    assert _flat(ours) == _flat(theirs)


def test_a_plain_span_is_encoded_here() -> None:
    """Else the test above would hold the stock encoder against itself."""
    span = ReadableSpan(
        "GET /", SpanContext(1, 2, False, TraceFlags(1)), attributes={"a": 1, "b": True, "c": 1.5},
        resource=Resource({}), start_time=1, end_time=2,
        instrumentation_scope=InstrumentationScope("runtime"),
    )  # fmt: skip
    assert otlp._span(span)
    # They are equal in Python, and must not be taken for each other.
    other = {"a": True, "b": 1}
    assert otlp._pairs(0x4A, other) != otlp._pairs(0x4A, {"a": 1, "b": True})


@pytest.mark.parametrize("remote", [None, True, False])
def test_a_light_span_is_read_as_the_sdks(remote: bool | None) -> None:
    provider = spans.Provider(Resource({"service.name": "shop"}))
    parent = Context()
    if remote is not None:
        caller = SpanContext(3, 4, remote, TraceFlags(1))
        parent = trace.set_span_in_context(trace.NonRecordingSpan(caller), parent)
    span = spans.LightTracer(provider, "runtime", "r1").begin("GET", parent, lambda: {"a": 1})
    span.set_attributes({"half": 0.5, "yes": True, "long": "é" * 600})
    assert isinstance(span, spans.Light)
    span.end()
    theirs = encode_spans([span.readable()]).SerializePartialToString()
    assert _flat(otlp.encode([span] * 40)) == _flat(theirs) * 40


def test_the_stock_exporter_sends_it() -> None:
    otlp.use()
    assert trace_exporter.encode_spans is otlp.Encoded  # type: ignore[comparison-overlap]
