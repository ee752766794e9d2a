"""Broken: its readiness check makes a span each time it is asked."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from opentelemetry import trace


def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer anything."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here\n"]


def ready() -> None:
    """Trace the question."""
    with trace.get_tracer("broken").start_as_current_span("ready?"):
        return
