"""What each of uWSGI's workers does beyond the service: it names the client, clears up, leaves."""

import atexit
import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import uwsgi  # type: ignore[import-untyped]  # only there inside the server

from runtime import clients, deadline, metrics, problems, settings, tracing, wsgi
from runtime.servers import refused, uwsgi_http

_HTTP = os.environ.get("PROTOCOL", "http") == "http"


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Call the service, which learns how to reach the client beside uWSGI."""
    environ["wsgi.url_scheme"] = uwsgi_http.scheme(environ)
    problem = uwsgi_http.refusal(environ, _HTTP)
    if problem:
        refused.note(int(problem.status[:3]), environ.get("REMOTE_ADDR", ""))
        return problems.answer(problem, environ, start_response)
    environ[clients.KEY] = clients.SocketClient(uwsgi.connection_fd())
    if _HTTP:
        uwsgi_http.complete(environ, uwsgi)
    elif environ.get("CONTENT_LENGTH"):
        # nginx has read the body whole, and still hands over how it came.
        environ.pop("HTTP_TRANSFER_ENCODING", None)
    return wsgi.application(environ, start_response)


def _clear() -> None:
    """Clear up after workers that ended, which may have been killed: nobody else does."""
    living = {str(worker["pid"]) for worker in uwsgi.workers()} | {str(os.getpid())}
    folder, sums = os.environ.get("READY_DIR"), settings.read().metrics_dir
    for file in Path(folder).glob("*") if folder else ():
        if file.name not in living:
            file.unlink(missing_ok=True)
            if sums:
                metrics.forget(sums, int(file.name))


def _retire() -> None:
    """Take no more requests; uWSGI would wait for the lost ones too."""
    os.kill(os.getpid(), signal.SIGHUP)


def _leave() -> None:
    """Send the last spans, and serve no more."""
    if folder := os.environ.get("READY_DIR"):
        with contextlib.suppress(OSError):
            Path(folder, str(os.getpid())).unlink(missing_ok=True)
    tracing.flush()


_clear()
atexit.register(_leave)
_watch = deadline.watch()
if _watch:
    _watch.begin(deadline.Replacement(_watch, _retire, _leave))
