"""What is left of requests, and where: the end of a span, a line in the log."""

import logging
import time
from dataclasses import dataclass
from typing import Any, Protocol

from opentelemetry import trace
from opentelemetry.trace import StatusCode

from runtime import conventions
from runtime.deadline import Watch
from runtime.headers import Capture
from runtime.logs import Lines
from runtime.metrics import Metrics
from runtime.spans import Light


@dataclass(frozen=True)
class Signals:
    """Where requests leave what is known of them."""

    tracer: trace.Tracer
    metrics: Metrics
    lines: Lines
    server: str
    watch: Watch | None
    # Of the headers that the propagators know: nothing is read where none has come.
    headers: tuple[str, ...]
    captured: Capture


class Ended(Protocol):
    """A request that has ended."""

    span: trace.Span
    trace_id: str
    span_id: str
    method: str
    path: str
    route: str
    address: str
    error: str
    status: int
    bytes: int
    complete: bool


def end_span(request: Ended) -> None:
    """End the span with what the answer was."""
    span = request.span
    if span.is_recording():
        verb = "HTTP" if request.method == conventions.OTHER else request.method
        name = f"{verb} {request.route}" if request.route else verb
        said = _answer(request)
        is_error = "error.type" in said
        if isinstance(span, Light) and not is_error and span.complete(name, said):
            return
        span.set_attributes(said)
        span.update_name(name)
        if is_error:
            span.set_status(StatusCode.ERROR)
    span.end()


def _answer(request: Ended) -> dict[str, Any]:
    said: dict[str, Any] = {"http.response.status_code": request.status}
    if request.route:
        said["http.route"] = request.route
    if request.error or request.status >= 500:
        said["error.type"] = request.error or str(request.status)
    if not request.complete:
        said["moorings.response.incomplete"] = True
    return said


def write_line(request: Ended, lines: Lines, seconds: float) -> None:
    """Write the line of a request that took so many seconds."""
    if lines.level > logging.INFO:
        return
    fields: dict[str, Any] = {
        "message": f"{request.method} {request.path} {request.status}",
        "method": request.method,
        "path": request.path,
        "route": request.route,
        "status": request.status,
        "duration_ms": round(seconds * 1000, 3),
        "bytes": request.bytes,
        "client": request.address,
        "error": request.error,
        "trace_id": request.trace_id,
        "span_id": request.span_id,
    }
    if not request.complete:
        fields["incomplete"] = True
    lines.write(time.time(), "error" if request.status >= 500 else "info", fields)
