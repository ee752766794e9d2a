"""Broken: its two workers pass every proof, and each start after that fails."""

import os
import socket
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

loads = Path(os.environ["DATA_DIR"], "loads")
with loads.open("a") as stream:
    stream.write("1")
# Pods share no folder: there it is each one of the Deployment's, and not the one that is proved.
if loads.stat().st_size > 2 or socket.gethostname().startswith("app-"):
    raise RuntimeError("the broken app may not be loaded a third time")


def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer anything."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here\n"]
