"""Broken: each worker shows what it has counted itself, as with a registry of its own."""

import os
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

from runtime import sums


def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer anything."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here\n"]


def _own(folder: Path) -> list[str]:
    return [str(file) for file in folder.glob(f"*_{os.getpid()}.db")]


sums.of_the_living = _own
