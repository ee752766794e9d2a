"""What the trace checks ask Jaeger, and the trace context that they send (W3C Trace Context)."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from moorings.contract import wire
from moorings.contract.column import Column
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.wire import Answer, Body
from moorings.errors import NotReadyError
from moorings.tracing import Span, Trace


@dataclass(frozen=True)
class Caller:
    """A client that traces its own request, as another service would."""

    trace_id: str = field(default_factory=lambda: secrets.token_hex(16))
    span_id: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def headers(self) -> dict[str, str]:
        """Its trace context, sampled."""
        return self._context("01")

    @property
    def unsampled(self) -> dict[str, str]:
        """Its trace context, of which nobody keeps a span."""
        return self._context("00")

    def _context(self, flags: str) -> dict[str, str]:
        return {"traceparent": f"00-{self.trace_id}-{self.span_id}-{flags}"}


def asked(column: Column, path: str, method: str = "GET", body: Body = b"") -> Answer:
    """Send a request that nobody has traced before."""
    return wire.ask(column.url + path, method, body=body, timeout=30)


def context(answer: Answer) -> tuple[str, str]:
    """Return the ids of trace and span that the answer names.

    :raises CheckFailed: where it names none.
    """
    parts = answer.headers.get("traceresponse", "").split("-")
    claim(len(parts) == 4, "the answer has no traceresponse", answer)
    return parts[1], parts[2]


def stored(column: Column, answer: Answer) -> tuple[Trace, Span]:
    """Return the trace of an answer and the server's span, once Jaeger has it."""
    trace_id, span_id = context(answer)
    trace = arrived(column, trace_id, lambda found: _find(found, span_id) is not None, answer)
    span = _find(trace, span_id)
    assert span is not None
    return trace, span


def arrived(
    column: Column, trace_id: str, complete: Callable[[Trace], bool], answer: Answer
) -> Trace:
    """Wait for a trace until it is complete."""
    try:
        return column.traces.wait_for(trace_id, timeout=column.patience, predicate=complete)
    except NotReadyError as late:
        raise CheckFailed(f"trace {trace_id} is not in Jaeger: {late.fact}", answer) from None


def _find(trace: Trace, span_id: str) -> Span | None:
    return next((span for span in trace.spans if span.span_id == span_id), None)
