"""Light spans: nobody can tell them from the SDK's."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import context as contexts
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

from runtime import spans

_SAID = {"http.request.method": "GET", "server.port": 80}
_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"


class Counting(RandomIdGenerator):
    """Ids that are the same for each provider, and that a ratio takes some of."""

    def __init__(self) -> None:
        self._last = 0

    def restart_at(self, number: int) -> None:
        self._last = number

    def generate_span_id(self) -> int:
        self._last += 1
        return self._last

    def generate_trace_id(self) -> int:
        return 2**127 + self.generate_span_id() * 0x9E3779B97F4A7C15 % 2**64


class Kept:
    """A provider and what its processors saw in the end."""

    def __init__(self) -> None:
        self.provider = spans.Provider(Resource({"service.name": "shop"}))
        self.provider.id_generator = self.ids = Counting()
        self.memory = InMemorySpanExporter()
        self.provider.add_own(SimpleSpanProcessor(self.memory))
        self.tracer = spans.LightTracer(self.provider, "runtime", "r1")

    def run(self, parent: Context, work: Callable[[trace.Span], None]) -> trace.Span:
        span = self.tracer.begin("GET", parent, lambda: dict(_SAID))
        work(span)
        span.end()
        return span

    def ended(self) -> list[dict[str, Any]]:
        found = [spans.readable(span) for span in self.memory.get_finished_spans()]
        return [_without_times(span) for span in found]


def _without_times(span: ReadableSpan) -> dict[str, Any]:
    assert 0 < (span.start_time or 0) <= (span.end_time or 0)
    found: dict[str, Any] = json.loads(span.to_json())
    for event in found["events"]:
        event.pop("timestamp")
        event["attributes"].pop("exception.stacktrace", None)
    return {key: value for key, value in found.items() if not key.endswith("_time")} | {
        "flags": span.context and int(span.context.trace_flags),
        "remote": span.parent and span.parent.is_remote,
        "scope": span.instrumentation_scope and span.instrumentation_scope.name,
    }


def _nothing(span: trace.Span) -> None:
    assert span.get_span_context().is_valid


def _much(span: trace.Span) -> None:
    span.set_attribute("shop", "fruit")
    span.set_attributes({"number": 3, "wrong": object()})  # type: ignore[dict-item]
    span.add_event("sold", {"kind": "pear"})
    span.add_link(SpanContext(1, 2, True))
    span.record_exception(ValueError("too many"))
    span.set_status(StatusCode.ERROR, "sorry")
    span.update_name("GET /fruit")


@pytest.mark.parametrize("work", [_nothing, _much])
@pytest.mark.parametrize("header", ["", f"{_PARENT}00", f"{_PARENT}01", f"{_PARENT}03"])
@pytest.mark.parametrize(
    "sampler",
    ["", "always_on", "always_off", "traceidratio", "parentbased_always_on",
     "parentbased_always_off", "parentbased_traceidratio"],
)  # fmt: skip
def test_they_are_what_the_sdk_makes(
    monkeypatch: pytest.MonkeyPatch, sampler: str, header: str, work: Callable[[trace.Span], None]
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.4")
    carrier = {"traceparent": header, "tracestate": "vendor=1"} if header else {}
    light, stock = Kept(), Kept()
    stock.provider.is_lean = False
    for _ in range(20):
        parent = propagate.extract(carrier, Context())
        ours, theirs = light.run(parent, work), stock.run(parent, work)
        assert ours.get_span_context() == theirs.get_span_context()
        assert ours.is_recording() is theirs.is_recording() is False
    assert light.ended() == stock.ended()


def test_without_anybody_else_no_span_of_the_sdk_is_made() -> None:
    """Else the test above would compare the SDK with itself."""
    kept = Kept()
    span = kept.run(Context(), _nothing)
    assert isinstance(span, spans.Light)
    assert span._heavy is None


def test_spans_of_other_kinds_are_what_the_sdk_makes() -> None:
    light, stock = Kept(), Kept()
    stock.provider.is_lean = False
    for kept in (light, stock):
        with kept.tracer.start_as_current_span("connect", kind=SpanKind.CLIENT) as outer:
            inner = kept.tracer.start_span("SELECT store.db", kind=SpanKind.CLIENT)
            inner.set_attributes({"db.system.name": "sqlite", "rows": 3, "": 1, "few": [1, 2]})
            inner.end()
            outer.set_attribute("port", 5432)
        with (
            contextlib.suppress(ZeroDivisionError),
            kept.tracer.start_as_current_span("connect", kind=SpanKind.CLIENT),
        ):
            raise ZeroDivisionError("no database")
    assert light.ended() == stock.ended()
    assert [span["name"] for span in light.ended()] == ["SELECT store.db", "connect", "connect"]
    assert light.ended()[2]["status"]["status_code"] == "ERROR"


@pytest.mark.parametrize("below", ["nothing", "a caller", "a request"])
@pytest.mark.parametrize("header", ["", f"{_PARENT}00", f"{_PARENT}01", f"{_PARENT}03"])
@pytest.mark.parametrize(
    "sampler",
    ["", "always_on", "always_off", "traceidratio", "parentbased_always_on",
     "parentbased_always_off", "parentbased_traceidratio"],
)  # fmt: skip
def test_spans_below_are_what_the_sdk_makes(
    monkeypatch: pytest.MonkeyPatch, sampler: str, header: str, below: str
) -> None:
    """Those that are seen: of what is not sampled, the ids are nowhere."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.4")
    carrier = {"traceparent": header, "tracestate": "vendor=1"} if header else {}
    caller = Context() if below == "nothing" else propagate.extract(carrier, Context())
    light, stock = Kept(), Kept()
    stock.provider.is_lean = False
    for number in range(20):
        are_seen = []
        for kept in (light, stock):
            # Of trace ids that the ratio takes, and of others.
            kept.ids.restart_at(2 * number if number % 2 else 2**63 + 2 * number)
            request = kept.tracer.begin("GET", caller, lambda: dict(_SAID))
            parent = trace.set_span_in_context(request, caller) if below == "a request" else caller
            kept.ids.restart_at(2 * number + 1)
            if kept is light:
                span = kept.tracer.below("SELECT", parent, dict(_SAID))
            else:
                span = kept.tracer.start_span("SELECT", parent, SpanKind.CLIENT, dict(_SAID))
            are_seen.append(span.is_recording())
            span.end()
        assert are_seen[0] is are_seen[1]
    assert light.ended() == stock.ended()


def test_below_a_request_no_sampler_is_asked() -> None:
    """Else the test above would compare the SDK with itself."""
    kept = Kept()
    request = kept.tracer.begin("GET", Context(), dict)
    kept.provider.sampler = None  # type: ignore[assignment]
    above = trace.set_span_in_context(request, Context())
    span = kept.tracer.below("SELECT", above, dict(_SAID))
    assert isinstance(span, spans.Light)
    assert span.attributes == _SAID


class Watching(SimpleSpanProcessor):
    """What a user adds."""

    def __init__(self) -> None:
        super().__init__(InMemorySpanExporter())
        self.seen: list[str] = []

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        span.set_attribute("mark", "theirs")
        self.seen.append(f"start {span.name}")

    def on_end(self, span: ReadableSpan) -> None:
        self.seen.append(f"end {span.name}")


def test_a_processor_that_a_user_adds_sees_every_span() -> None:
    kept, watching = Kept(), Watching()

    def add(_span: trace.Span) -> None:
        kept.provider.add_span_processor(watching)

    kept.run(Context(), add)
    kept.run(Context(), _nothing)
    assert watching.seen == ["start GET", "end GET"] * 2
    assert [span["attributes"]["mark"] for span in kept.ended()] == ["theirs"] * 2


@pytest.mark.parametrize(
    "name",
    ["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT",
     "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"],
)  # fmt: skip
def test_limits_hold(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    kept = Kept()
    kept.run(Context(), _nothing)
    (span,) = kept.ended()
    assert len(span["attributes"]) == 1 or span["attributes"]["http.request.method"] == "G"


def test_limits_of_what_an_app_adds_hold() -> None:
    kept = Kept()
    many = {f"a{number}": number for number in range(200)}
    kept.run(Context(), lambda span: span.set_attributes(many))
    assert len(kept.ended()[0]["attributes"]) == 128


def test_what_has_ended_is_not_changed(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    span = kept.run(Context(), _nothing)
    span.set_attribute("late", 1)
    span.end()
    assert "has ended" in caplog.text
    assert [found["attributes"] for found in kept.ended()] == [_SAID]


def test_what_an_app_reads_is_what_it_has_said() -> None:
    kept = Kept()
    span = kept.tracer.begin("GET", Context(), lambda: dict(_SAID))
    assert isinstance(span, spans.Light)
    assert dict(span.attributes) == _SAID
    span.add_event("sold")
    span.set_attribute("shop", "fruit")
    span.update_name("GET /fruit")
    assert dict(span.attributes) == {**_SAID, "shop": "fruit"}
    assert (span.name, [event.name for event in span.events]) == ("GET /fruit", ["sold"])
    assert "sold" in span.to_json()
    assert not hasattr(span, "colour")


def test_children_have_it_as_their_parent() -> None:
    kept = Kept()
    parent = kept.tracer.begin("GET", Context(), dict)
    token = contexts.attach(trace.set_span_in_context(parent, Context()))
    try:
        child = kept.tracer.start_span("query", kind=SpanKind.CLIENT)
    finally:
        contexts.detach(token)
    assert child.get_span_context().trace_id == parent.get_span_context().trace_id
    assert child.parent == parent.get_span_context()  # type: ignore[attr-defined]
