"""Broken: boots, answers, and is never ready."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment


def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer anything."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here\n"]


def ready() -> None:
    """Never come back without an error."""
    raise RuntimeError("the broken app is never ready")
