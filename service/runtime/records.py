"""What is left of requests, and where: the end of a span, a line in the log."""

import logging
import time
import traceback
from dataclasses import dataclass
from typing import Any, Protocol

from opentelemetry import trace
from opentelemetry.trace import StatusCode

from runtime import conventions
from runtime.deadline import Watch
from runtime.headers import Capture
from runtime.logs import ACCESS, Answered, Lines, redact
from runtime.metrics import Metrics
from runtime.spans import Begin, Light


@dataclass(frozen=True)
class Signals:
    """Where requests leave what is known of them."""

    begin: Begin
    metrics: Metrics
    lines: Lines
    server: str
    watch: Watch | None
    # Of the headers that the propagators know: nothing is read where none has come.
    headers: tuple[str, ...]
    captured: Capture | None


class Ended(Answered, Protocol):
    """A request that has ended."""

    span: trace.Span
    error: str
    complete: bool


def end_span(request: Ended, failure: str) -> None:
    """End the span with what the answer was, and of which type its failure, if it is one."""
    span = request.span
    if span.is_recording():
        verb = "HTTP" if request.method == conventions.OTHER else request.method
        name = f"{verb} {request.route}" if request.route else verb
        said = _answer(request, failure)
        if isinstance(span, Light) and not failure and span.complete(name, said):
            return
        span.set_attributes(said)
        span.update_name(name)
        if failure:
            span.set_status(StatusCode.ERROR)
    span.end()


def _answer(request: Ended, failure: str) -> dict[str, Any]:
    said: dict[str, Any] = {"http.response.status_code": request.status}
    if request.route:
        said["http.route"] = request.route
    if failure:
        said["error.type"] = failure
    if not request.complete:
        said["moorings.response.incomplete"] = True
    return said


def told(error: BaseException) -> dict[str, str]:
    """Return what a span says of an exception: as in a line of the log, without credentials."""
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    try:
        message = str(error)
    except Exception:
        message = ""  # whatever it is, it is not the request's failure
    return {
        "exception.type": f"{module}{kind.__qualname__}",
        "exception.message": redact(message),
        "exception.stacktrace": redact("".join(traceback.format_exception(error))),
    }


def write_line(request: Ended, lines: Lines, seconds: float) -> None:
    """Write the line of a request that took so many seconds."""
    is_error = request.status >= 500
    if lines.level > (logging.ERROR if is_error else logging.INFO):
        return
    if lines.is_text or is_error or request.error or not request.complete:
        lines.write(time.time(), "error" if is_error else "info", _fields(request, seconds))
    else:
        lines.write_plain(request, seconds)


def _fields(request: Ended, seconds: float) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "logger": ACCESS,
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
    return fields
