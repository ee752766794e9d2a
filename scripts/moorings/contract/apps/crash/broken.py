"""Broken: boots, is ready, and crashes a moment later."""

import os
import sys
import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment


def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer anything, while it lasts."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here\n"]


def _crash() -> None:
    print("the broken app crashes", file=sys.stderr, flush=True)
    os._exit(1)


timer = threading.Timer(2.0, _crash)
timer.daemon = True
timer.start()
