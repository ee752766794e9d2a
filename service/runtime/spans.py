"""Spans at a fraction of their usual cost, where nobody can tell the difference.

A light span holds what the runtime says of a request or of a statement. Once anybody wants more
of it, an event say, it becomes a span of the SDK with the same ids, and stays one. Where span
processors beside the runtime's own want to see spans, or limits are set, all are the SDK's.
"""

import copy
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import (
    ReadableSpan,
    SpanLimits,
    SpanProcessor,
    Tracer,
    TracerProvider,
)
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from runtime import current

# Their decisions do not depend on attributes.
_STANDARD = frozenset(
    f"{parent}{sampler}"
    for parent in ("", "parentbased_")
    for sampler in ("always_on", "always_off", "traceidratio")
)
# More than a request has without headers that the operator wants, and what its answer adds.
_ROOM = 32
_ANSWER = 4
# Of a trace id, what samplers look at.
_LOW = TraceIdRatioBased.TRACE_ID_LIMIT
_RANDOM = 2
_log = logging.getLogger("runtime.tracing")
_FLAGS = tuple(TraceFlags(number) for number in range(4))
_PLAIN = frozenset((str, int, bool, float))
_UNSET = Status(StatusCode.UNSET)

Attributes = Mapping[str, Any]
Describe = Callable[[], dict[str, Any]]
Begin = Callable[[str, Context, Describe], trace.Span]


class Provider(TracerProvider):
    """The SDK's provider, which knows whether anybody else looks at its spans."""

    def __init__(self, resource: Resource) -> None:
        limits = SpanLimits()
        # The SDK's own exit handler waits 30 s for a collector that does not answer.
        super().__init__(resource=resource, shutdown_on_exit=False, span_limits=limits)
        self.own: list[SpanProcessor] = []
        room = limits.max_span_attributes
        measured = os.environ.get("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "")
        self.is_lean = (
            (room is None or room >= _ROOM + _ANSWER)
            and limits.max_span_attribute_length is None
            and measured.strip().lower() != "true"
        )

    def add_own(self, processor: SpanProcessor) -> None:
        """Add a processor that wants the ends of spans, and no beginnings."""
        super().add_span_processor(processor)
        self.own.append(processor)

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add anybody's processor: from now on every span is the SDK's."""
        self.is_lean = False
        super().add_span_processor(span_processor)


class Light(trace.Span):
    """A span as it mostly is, till somebody asks for more."""

    __slots__ = (
        "_heavy", "_source", "context", "end_time", "kind", "light_name", "parent",
        "parent_context", "said", "start_time",
    )  # fmt: skip

    dropped_attributes = dropped_events = dropped_links = 0

    def __init__(
        self, source: "LightTracer", name: str, context: SpanContext, parent: SpanContext | None,
        parent_context: Context, attributes: dict[str, Any], kind: SpanKind,
    ) -> None:  # fmt: skip
        self._source = source
        self._heavy: trace.Span | None = None
        self.light_name = name
        self.said = attributes
        self.kind = kind
        self.context = context
        self.parent = parent
        self.parent_context = parent_context
        self.end_time: int | None = None
        self.start_time = time.time_ns()

    def __getattr__(self, name: str) -> Any:
        """What only the SDK's spans have."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.heavy(), name)

    def _now(self, name: str, light: Any) -> Any:
        return light if self._heavy is None else getattr(self._heavy, name)

    @property
    def name(self) -> str:
        found: str = self._now("name", self.light_name)
        return found

    @property
    def attributes(self) -> Attributes:
        found: Attributes = self._now("attributes", self.said)
        return found

    @property
    def status(self) -> Status:
        found: Status = self._now("status", _UNSET)
        return found

    @property
    def events(self) -> Sequence[Any]:
        found: Sequence[Any] = self._now("events", ())
        return found

    @property
    def links(self) -> Sequence[Any]:
        found: Sequence[Any] = self._now("links", ())
        return found

    @property
    def resource(self) -> Resource:
        return self._source.provider.resource

    @property
    def instrumentation_scope(self) -> InstrumentationScope:
        return self._source.scope

    def heavy(self) -> trace.Span:
        """Become a span of the SDK."""
        if self._heavy is None:
            self._source.promote(self)
        if self._heavy is None:
            _log.warning("%s has ended, and is not changed any more", self.name)
        return self._heavy or trace.INVALID_SPAN

    def complete(self, name: str, attributes: Attributes) -> bool:
        """Say the last of it and end it; False where it is no longer light."""
        if self._heavy is not None or not self._source.provider.is_lean:
            return False
        self.light_name = name
        self.said.update(attributes)
        self.end()
        return True

    def readable(self) -> ReadableSpan:
        """Return it as the SDK's exporters know spans."""
        return ReadableSpan(
            self.name, self.context, self.parent, self.resource, self.attributes,
            kind=self.kind, start_time=self.start_time, end_time=self.end_time,
            instrumentation_scope=self.instrumentation_scope,
        )  # fmt: skip

    def end(self, end_time: int | None = None) -> None:
        source = self._source
        if not source.provider.is_lean:
            self.heavy()
        with source.lock:
            is_light = self._heavy is None and self.end_time is None
            if is_light:
                self.end_time = end_time or time.time_ns()
        if is_light:
            for processor in source.provider.own:
                processor.on_end(cast(ReadableSpan, self))
        elif self._heavy is not None:
            self._heavy.end(end_time)

    def get_span_context(self) -> SpanContext:
        return self.context

    def is_recording(self) -> bool:
        return self._heavy.is_recording() if self._heavy is not None else self.end_time is None

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def set_attribute(self, key: str, value: Any) -> None:
        with self._source.lock:
            if self._is_plain(key, value):
                self.said[key] = value
                return
        self.heavy().set_attribute(key, value)

    def _is_plain(self, key: str, value: Any) -> bool:
        """Return whether the SDK would keep this as it is."""
        return (
            self._heavy is None
            and self.end_time is None
            and type(value) in _PLAIN
            and bool(key)
            and type(key) is str
            and len(self.said) < _ROOM
        )

    def add_event(
        self, name: str, attributes: Any = None, timestamp: int | None = None
    ) -> None:  # fmt: skip
        self.heavy().add_event(name, attributes, timestamp)

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        self.heavy().add_link(context, attributes)

    def update_name(self, name: str) -> None:
        with self._source.lock:
            if self._heavy is None and self.end_time is None:
                self.light_name = name
                return
        self.heavy().update_name(name)

    def set_status(self, status: Any, description: str | None = None) -> None:
        self.heavy().set_status(status, description)

    def record_exception(self, exception: BaseException, *about: Any, **more: Any) -> None:
        self.heavy().record_exception(exception, *about, **more)


# Their context is known without the SDK's properties.
_CHEAP = (Light, trace.NonRecordingSpan)


class LightTracer(trace.Tracer):
    """A tracer that begins light spans where they will do."""

    def __init__(self, provider: Provider, name: str, version: str, schema_url: str = "") -> None:
        self.provider = provider
        self.scope = InstrumentationScope(name, version, schema_url)
        self._stock = provider.get_tracer(name, version, schema_url)
        self._known = _sampler_name() in _STANDARD
        self._follows = self._known and _sampler_name().startswith("parentbased_")
        self._bound = _bound(provider.sampler)
        self._given = _Given()
        self.lock = threading.RLock()
        self._promoting = self._promoter()
        random = self._given.random
        # Of a request without a parent that is not sampled, and of one that is.
        self._flags_of_root = (_FLAGS[random], _FLAGS[random | TraceFlags.SAMPLED])

    def start_span(
        self, name: str, context: Context | None = None, kind: SpanKind = SpanKind.INTERNAL,
        attributes: Any = None, links: Any = None, start_time: int | None = None,
        record_exception: bool = True, set_status_on_exception: bool = True,
    ) -> trace.Span:  # fmt: skip
        if attributes or links or start_time:
            return self._stock.start_span(
                name, context, kind, attributes, links, start_time, record_exception,
                set_status_on_exception,
            )  # fmt: skip
        parent = contexts.get_current() if context is None else context
        return self.begin(name, parent, dict, kind)

    def start_as_current_span(
        self, name: str, context: Context | None = None, kind: SpanKind = SpanKind.INTERNAL,
        attributes: Any = None, links: Any = None, start_time: int | None = None,
        record_exception: bool = True, set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Any:  # fmt: skip
        span = self.start_span(name, context, kind, attributes, links, start_time)
        return trace.use_span(span, end_on_exit, record_exception, set_status_on_exception)

    def below(self, name: str, parent_context: Context, attributes: dict[str, Any]) -> trace.Span:
        """Begin the span of a call below the current one, which has decided whether it is seen.

        What nobody will see has no ids: that is for calls that make no spans themselves.
        """
        above: Any = parent_context.get(current.SPAN)
        if self._follows and type(above) in _CHEAP:
            parent = above.get_span_context()
            trace_id, _, _, flags, state, is_valid = parent
            if is_valid and not flags & TraceFlags.SAMPLED:
                return trace.INVALID_SPAN
            if is_valid and self.provider.is_lean and self._promoting:
                span_id = self.provider.id_generator.generate_span_id()
                context = SpanContext(trace_id, span_id, False, _FLAGS[flags & 3], state)
                about = attributes.copy()
                return Light(self, name, context, parent, parent_context, about, SpanKind.CLIENT)
        return self.begin(name, parent_context, attributes.copy, SpanKind.CLIENT)

    def begin(
        self, name: str, parent_context: Context, describe: Describe,
        kind: SpanKind = SpanKind.SERVER,
    ) -> trace.Span:  # fmt: skip
        """Begin a span that `describe` tells the attributes of."""
        if not (self.provider.is_lean and self._promoting):
            return self._stock.start_span(name, parent_context, kind, describe())
        parent = _parent(parent_context) if parent_context else None
        ids = self.provider.id_generator
        trace_id = parent.trace_id if parent else ids.generate_trace_id()
        if parent is None and self._bound is not None:
            is_sampled = trace_id & _LOW < self._bound
            flags, state = self._flags_of_root[is_sampled], None
            attributes = describe() if is_sampled else None
        else:
            said = None if self._known else describe()
            decided = self.provider.sampler.should_sample(
                parent_context, trace_id, name, kind, said, ()
            )
            flags, state = self._flags(parent, decided), decided.trace_state
            attributes = self._kept(decided, describe)
        context = SpanContext(trace_id, ids.generate_span_id(), False, flags, state)
        if attributes is None:
            return trace.NonRecordingSpan(context)
        return Light(self, name, context, parent, parent_context, attributes, kind)

    def _kept(self, decided: SamplingResult, describe: Describe) -> dict[str, Any] | None:
        """Return the attributes of a span; None where there will be none."""
        if decided.decision is Decision.DROP:
            return None
        return describe() if self._known else dict(decided.attributes)

    def _flags(self, parent: SpanContext | None, decided: SamplingResult) -> TraceFlags:
        sampled = decided.decision is Decision.RECORD_AND_SAMPLE
        flags = parent.trace_flags & _RANDOM if parent else self._given.random
        return _FLAGS[flags | sampled]

    def promote(self, light: Light) -> None:
        """Give a light span that has not ended the SDK's span of the same ids."""
        tracer = self._promoting
        assert tracer
        with self.lock:
            # Another thread may have been faster.
            if light._heavy is None and light.end_time is None:
                self._given.light = light
                light._heavy = tracer.start_span(
                    light.name, light.parent_context, light.kind, light.attributes,
                    start_time=light.start_time,
                )  # fmt: skip

    def _promoter(self) -> Tracer | None:
        """Return a tracer whose ids and decisions are those of a light span."""
        if not isinstance(self._stock, Tracer):
            return None  # OTEL_SDK_DISABLED
        self._given.random = _random(self._stock.id_generator)
        tracer = copy.copy(self._stock)
        tracer.id_generator, tracer.sampler = self._given, _Decided(self._given)
        return tracer


class _Given(IdGenerator):
    """The ids of the light span that is promoted."""

    light: Light
    random = 0

    def generate_trace_id(self) -> int:
        return self.light.context.trace_id

    def generate_span_id(self) -> int:
        return self.light.context.span_id

    def is_trace_id_random(self) -> bool:
        return bool(self.random)


class _Decided(Sampler):
    """The decision that made a light span."""

    def __init__(self, given: _Given) -> None:
        self._given = given

    def should_sample(self, *about: Any, **more: Any) -> SamplingResult:
        light = self._given.light
        sampled = light.context.trace_flags.sampled
        decision = Decision.RECORD_AND_SAMPLE if sampled else Decision.RECORD_ONLY
        return SamplingResult(decision, light.attributes, light.context.trace_state)

    def get_description(self) -> str:
        return "Decided"


def beginning(tracer: trace.Tracer) -> Begin:
    """Return what begins the span of a request, by whatever tracer there is."""
    if isinstance(tracer, LightTracer):
        return tracer.begin
    return lambda name, parent, describe: tracer.start_span(
        name, parent, SpanKind.SERVER, describe()
    )


def readable(span: ReadableSpan | Light) -> ReadableSpan:
    """Return a span as exporters know it."""
    return span.readable() if isinstance(span, Light) else span


def changed(span: ReadableSpan, changes: Attributes) -> ReadableSpan:
    """Return a span that says other things, or the same one where there are none."""
    if not changes:
        return span
    return ReadableSpan(
        span.name, span.context, span.parent, span.resource, {**(span.attributes or {}), **changes},
        span.events, span.links, span.kind, instrumentation_scope=span.instrumentation_scope,
        status=span.status, start_time=span.start_time, end_time=span.end_time,
    )  # fmt: skip


def _parent(context: Context) -> SpanContext | None:
    found = trace.get_current_span(context).get_span_context()
    return found if found.is_valid else None


def _random(ids: IdGenerator) -> int:
    """Whether trace ids are random, which older SDKs do not ask."""
    ask = getattr(ids, "is_trace_id_random", None)
    return _RANDOM if ask and ask() else 0


def _bound(sampler: Sampler) -> int | None:
    """Return below which ids a request without a parent is sampled; None: the sampler is asked."""
    name = _sampler_name()
    if name not in _STANDARD:
        return None
    if name.endswith("traceidratio"):
        root = getattr(sampler, "_root", sampler)
        return root.bound if isinstance(root, TraceIdRatioBased) else None
    decided = sampler.should_sample(Context(), 1, "", SpanKind.SERVER)
    return 0 if decided.decision is Decision.DROP else _LOW + 1


def _sampler_name() -> str:
    return os.environ.get("OTEL_TRACES_SAMPLER", "").strip().lower() or "parentbased_always_on"
