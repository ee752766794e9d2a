"""Spans as OTLP's protobuf, written straight into bytes: the stock encoder builds objects first.

What is rare, events and links say, is left to the stock encoder: two encoded requests one after the
other are one request. A unit test holds both against each other on generated spans.
https://protobuf.dev/programming-guides/encoding/
"""

import functools
import importlib
import struct
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind

from runtime.spans import Light, readable

EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
_times = struct.Struct("<BQBQ").pack
_double = struct.Struct("<d").pack
# Flags: that it is known whether the parent is remote, and that it is.
_LOCAL, _REMOTE = b"\x85\x01\x00\x01\x00\x00", b"\x85\x01\x00\x03\x00\x00"
_KINDS = {kind: bytes((0x30, kind.value + 1)) for kind in SpanKind}
_UNSET = b"\x7a\x00"
_LEAST, _MOST = -(2**63), 2**63 - 1
_SLICE = 32
_PAUSE_SECONDS = 0.0002
# Longer values are hardly ever the same ones again.
_SHORT = 512


class Unusual(Exception):
    """Of a span that is left to the stock encoder."""


class Encoded:
    """What the stock exporter takes for the message that it sends."""

    def __init__(self, spans: Sequence[ReadableSpan]) -> None:
        self._spans = spans

    def SerializePartialToString(self) -> bytes:
        return encode(self._spans)


def use() -> None:
    """Let the stock exporter over HTTP, with all its settings, send what is encoded here."""
    module = importlib.import_module(EXPORTER)
    if hasattr(module, "encode_spans"):
        module.encode_spans = Encoded  # type: ignore[attr-defined]


def is_used() -> bool:
    """Return whether the stock exporter sends what is encoded here."""
    module = sys.modules.get(EXPORTER)
    return getattr(module, "encode_spans", None) is Encoded


def encode(spans: Sequence[Any]) -> bytes:
    """Return the ExportTraceServiceRequest of these spans, or of what is like them."""
    try:
        return _encode(spans)
    except (Unusual, UnicodeEncodeError):  # the resource or a scope
        return _stock([readable(span) for span in spans])


def _encode(spans: Iterable[Any]) -> bytes:
    # By identity: the hash of a resource is that of all its attributes.
    groups: dict[int, tuple[Resource, dict[int, _Group]]] = {}
    others: list[ReadableSpan] = []
    for number, span in enumerate(spans, 1):
        if number % _SLICE == 0:
            # Python runs one thread at a time: else requests would wait for a whole batch.
            time.sleep(_PAUSE_SECONDS)
        try:
            body = _span(span)
        except (Unusual, UnicodeEncodeError):
            others.append(readable(span))
        else:
            resource, scope = span.resource, span.instrumentation_scope
            scopes = groups.setdefault(id(resource), (resource, {}))[1]
            scopes.setdefault(id(scope), (scope, []))[1].append(body)
    whole = b"".join(_of_resource(*group) for group in groups.values())
    return whole + (_stock(others) if others else b"")


def _stock(spans: Sequence[ReadableSpan]) -> bytes:
    encoded: bytes = encode_spans(spans).SerializePartialToString()
    return encoded


_Group = tuple[InstrumentationScope, list[bytes]]


def _of_resource(resource: Resource, scopes: Mapping[int, _Group]) -> bytes:
    parts = [_field(0x0A, _pairs(0x0A, resource.attributes))]
    parts += [_field(0x12, _of_scope(*group)) for group in scopes.values()]
    return _field(0x0A, b"".join(parts) + _text(0x1A, resource.schema_url or ""))


def _of_scope(scope: InstrumentationScope, spans: list[bytes]) -> bytes:
    about = _pairs(0x1A, scope.attributes) if scope.attributes else b""
    head = _text(0x0A, scope.name) + _text(0x12, scope.version or "") + about
    return _field(0x0A, head) + b"".join(spans) + _text(0x1A, scope.schema_url or "")


def _span(span: Any) -> bytes:
    """Return a span as a field of its scope; raises Unusual."""
    if type(span) is Light:
        # What has ended so has no events, links or status.
        return _whole(span, span.light_name, span.said, _UNSET)
    if span.events or span.links or span.dropped_events or span.dropped_links:
        raise Unusual
    if span.status.description or not span.instrumentation_scope:
        raise Unusual
    dropped, status = span.dropped_attributes, span.status.status_code.value
    rest = b"\x50" + _varint(dropped) if dropped else b""
    rest += b"\x7a\x02\x18" + bytes((status,)) if status else _UNSET
    return _whole(span, span.name, span.attributes, rest)


def _whole(span: Any, name: str, attributes: Mapping[str, Any], rest: bytes) -> bytes:
    trace_id, span_id, _, _, state, _ = span.context
    if state:
        raise Unusual
    parent = span.parent
    return _field(0x12, b"".join((
        b"\x0a\x10", trace_id.to_bytes(16, "big"), b"\x12\x08", span_id.to_bytes(8, "big"),
        b"\x22\x08" + parent.span_id.to_bytes(8, "big") if parent else b"",
        _text(0x2A, name),
        _KINDS[span.kind],
        _times(0x39, span.start_time, 0x41, span.end_time),
        _pairs(0x4A, attributes),
        rest,
        _REMOTE if parent and parent.is_remote else _LOCAL,
    )))  # fmt: skip


def _pairs(tag: int, attributes: Mapping[str, Any]) -> bytes:
    """Return attributes as fields of this tag; raises Unusual."""
    parts = []
    for key, value in attributes.items():
        kind = type(value)
        if kind is int or kind is bool or (kind is str and len(value) < _SHORT):
            parts.append(_known_pair(tag, key, value))
        else:
            parts.append(_pair(tag, key, value))
    return b"".join(parts)


def _pair(tag: int, key: str, value: Any) -> bytes:
    encode = _VALUES.get(type(value))
    if encode is None:
        raise Unusual
    return _field(tag, _text(0x0A, key) + _field(0x12, encode(value)))


# Most attributes of a span are those of the one before; 1 and True are not the same, hence typed.
_known_pair = functools.lru_cache(maxsize=2048, typed=True)(_pair)


def _number(value: int) -> bytes:
    if not _LEAST <= value <= _MOST:
        raise Unusual
    return b"\x18" + _varint(value & 0xFFFFFFFFFFFFFFFF)


def _several(values: Sequence[Any]) -> bytes:
    parts = []
    for value in values:
        encode = _VALUES.get(type(value))
        if encode is None:
            raise Unusual
        parts.append(_field(0x0A, encode(value)))
    return _field(0x2A, b"".join(parts))


_VALUES: dict[type, Callable[[Any], bytes]] = {
    str: lambda value: _field(0x0A, value.encode()),
    bool: lambda value: b"\x10\x01" if value else b"\x10\x00",
    int: _number,
    float: lambda value: b"\x21" + _double(value),
    tuple: _several,
}


def _text(tag: int, text: str) -> bytes:
    return _field(tag, text.encode()) if text else b""


def _field(tag: int, body: bytes) -> bytes:
    length = len(body)
    if length < 0x80:
        return bytes((tag, length)) + body
    return bytes((tag,)) + _varint(length) + body


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
