"""What is attached here is what OpenTelemetry finds, and the other way round."""

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context

from runtime import current


def test_it_is_opentelemetrys_own_context() -> None:
    before = contexts.get_current()
    span = trace.NonRecordingSpan(trace.SpanContext(1, 2, False))
    token = current.attach(Context({current.SPAN: span}))
    try:
        assert trace.get_current_span() is span
        assert current.get() is contexts.get_current()
    finally:
        current.detach(token)
    assert contexts.get_current() == before
