"""Broken: sets Prometheus up for itself, so that each worker counts alone."""

import os
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment


def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer anything."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here\n"]


alone = Path(os.environ["METRICS_DIR"], str(os.getpid()))
alone.mkdir()
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(alone)
