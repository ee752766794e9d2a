"""Apache's side: what the .wsgi files of deploy/apache load in each daemon process."""

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import mod_wsgi  # type: ignore[import-not-found]  # it is in Apache's processes alone

# Apache's error log, where mod_wsgi would send what is printed, is not made of JSON lines.
os.dup2(1, 2)
sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))

# What importing it prints goes there too.
from runtime import boot  # noqa: E402

boot.check()

from runtime import clients, deadline, tracing, wsgi  # noqa: E402
from runtime.problems import Problem  # noqa: E402


class Apache:
    """The client of every request: Apache itself, which looks at the clock too.

    Its socket-timeout is the same deadline: it answers 504, or breaks off an answer.
    """

    def answer(self, problem: Problem) -> None:
        """Leave it to Apache, as this process has no way to the client."""

    def reset(self) -> None:
        """Leave it to Apache."""


_client = Apache()


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request whose span ends at the deadline."""
    environ[clients.KEY] = _client
    return wsgi.application(environ, start_response)


def _retire() -> None:
    """Take no more requests; mod_wsgi starts another process when this one has ended."""
    os.kill(os.getpid(), signal.SIGTERM)


def _leave() -> None:
    """Send the last spans, and serve no more."""
    tracing.flush()
    _not_ready()


def _not_ready() -> None:
    if folder := os.environ.get("READY_DIR"):
        Path(folder, str(os.getpid())).unlink(missing_ok=True)


def _stopping(*_event: object, **_about: object) -> None:
    """Send the spans that have ended, at once: what hangs may keep this process from its end."""
    threading.Thread(target=tracing.flush, daemon=True).start()


def start() -> None:
    """Watch the requests, and say that this process serves, in READY_DIR."""
    mod_wsgi.subscribe_shutdown(_stopping)
    if watch := deadline.watch():
        watch.begin(deadline.Replacement(watch, _retire, _leave))
    if folder := os.environ.get("READY_DIR"):
        Path(folder, str(os.getpid())).touch()
        atexit.register(_not_ready)


start()
