"""Errors as problem JSON (RFC 9457): for the runtime's own answers and for what apps let out."""

import json
from http import HTTPStatus
from typing import NamedTuple
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
# Where the telemetry layer leaves the id of the request's trace for whoever answers it.
TRACE_ID = "moorings.trace_id"


class Problem(NamedTuple):
    """One answer: WSGI's status line and headers, and the body."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def make(
    status: int, detail: str, trace_id: str = "", headers: tuple[tuple[str, str], ...] = ()
) -> Problem:
    """Build the answer; `trace_id` is left out where the request has none."""
    title = HTTPStatus(status).phrase
    content = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    body = json.dumps(content | ({"trace_id": trace_id} if trace_id else {})).encode()
    own = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body)))]
    return Problem(f"{status} {title}", [*own, *headers], body)


def of(error: Exception, trace_id: str) -> Problem:
    """Build the answer for an exception that left the app: what it says of itself is not shown."""
    if isinstance(error, HTTPException) and error.code and 400 <= error.code < 500:
        return make(error.code, error.description or "", trace_id)
    return make(500, "The application failed; the trace id finds the cause.", trace_id)


def answer(
    problem: Problem, environ: WSGIEnvironment, start_response: StartResponse
) -> list[bytes]:
    """Answer a request with `problem`."""
    start_response(problem.status, problem.headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [problem.body]
