"""Broken: leaves a process behind that outlives the server."""

import subprocess
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment


def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer anything."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here\n"]


# It has no parent, as daemons do; it ends by itself, long after it was found.
subprocess.run(["sh", "-c", "sleep 30 &"], check=True, start_new_session=True)
