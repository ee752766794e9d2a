"""Gunicorn's side: the hooks and the log that deploy/gunicorn/gunicorn.conf.py names."""

import contextlib
import functools
import os
import shutil
import signal
import socket
import tempfile
from pathlib import Path
from typing import Any

from gunicorn import glogging, util
from gunicorn.http import message, parser

from runtime import deadline, logs, metrics, problems, settings
from runtime.boot import errors_in_one_line
from runtime.servers import refused
from runtime.servers.drain import drain
from runtime.servers.pool import pool

_MEMORY = Path("/dev/shm")
# A worker's metrics take some files of 1 MB; a container has 64 MB.
_LEAST_FREE = 16 * 1024 * 1024
# What a refusal may repeat of what it refuses.
_DETAIL = 200
_CLASSES = {
    "gthread": "runtime.servers.threads.Worker",
    "gevent": "runtime.servers.greenlets.Worker",
    "asgi": "runtime.servers.events.Worker",
    "uvicorn": "uvicorn_worker.UvicornWorker",
}
_ASGI = ("asgi", "uvicorn", "uvicorn_worker.UvicornWorker")


class Logger(glogging.Logger):
    """Gunicorn's own messages in the lines of the service; the runtime writes the access lines."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        lines = logs.Lines(settings.read())
        self.error_log.setLevel(lines.level)
        self.error_log.handlers[:] = [logs.handler(lines)]


class Request(message.Request):
    """A request whose answer says that its connection closes, once the drain is announced."""

    _decided = False

    def should_close(self) -> bool:
        # Asked first when the answer's head is written. Later answers must agree with that one: a
        # connection that was announced as open is never closed because the drain began meanwhile.
        if not self._decided:
            self._decided = True
            self.must_close = self.must_close or drain().announced()
        return super().should_close()


def worker_class(name: str) -> str:
    """Return where Gunicorn finds the class of workers of this name."""
    return _CLASSES.get(name, name)


def application(worker_class: str) -> str:
    """Return what workers of this class load."""
    return f"runtime.{'asgi' if worker_class in _ASGI else 'wsgi'}:application"


def memory_folder() -> str | None:
    """Return a folder in memory for the heartbeat files: on a slow disk workers seem to hang.

    None, which is the temporary folder, where it is nearly full: whoever writes to a file that is
    mapped, as those of the metrics are, would be killed by SIGBUS without a word.
    """
    if not os.access(_MEMORY, os.W_OK) or shutil.disk_usage(_MEMORY).free < _LEAST_FREE:
        return None
    return str(_MEMORY)


def metrics_folder() -> Path:
    """Return METRICS_DIR; without one, a new folder that names its master and goes with it."""
    if not os.environ.get("METRICS_DIR"):
        made = tempfile.mkdtemp(prefix=f"moorings-metrics-{os.getpid()}-", dir=memory_folder())
        os.environ["METRICS_DIR"] = made
        os.environ["MOORINGS_METRICS_MADE"] = made
    return Path(os.environ["METRICS_DIR"])


def when_ready(_arbiter: Any) -> None:
    """Begin with empty sums, once the address is ours: a start that fails leaves no folder."""
    with errors_in_one_line():
        metrics.prepare(metrics_folder())


def post_fork(_arbiter: Any, _worker: Any) -> None:
    """Let a worker announce the drain, and refuse what is no request as the runtime refuses."""
    parser.RequestParser.mesg_class = Request
    util.write_error = refuse


def refuse(sock: socket.socket, status_int: int, reason: str, mesg: str) -> None:
    """Answer what never became a request, a header too long say, as problem JSON."""
    refused.note(status_int, _peer(sock))
    problem = problems.make(status_int, mesg[:_DETAIL] or reason)
    head = [f"HTTP/1.1 {problem.status}", "Connection: close"]
    head += [f"{name}: {value}" for name, value in problem.headers]
    util.write_nonblock(sock, "\r\n".join([*head, "", ""]).encode("latin1") + problem.body)


def _peer(sock: socket.socket) -> str:
    with contextlib.suppress(OSError):
        name = sock.getpeername()
        return str(name[0]) if isinstance(name, tuple) else ""
    return ""


def pre_request(_worker: Any, request: Any) -> None:
    """Announce the close of a connection whose body is refused unread, as gunicorn then closes."""
    most = _max_body_bytes()
    for name, value in request.headers:
        if name == "CONTENT-LENGTH" and most and value.isdecimal() and int(value) > most:
            request.must_close = True


def post_worker_init(worker: Any) -> None:
    """Keep time for the last spans, and say that this worker serves, in READY_DIR."""
    _reserve(worker.cfg)
    _watch(worker)
    if folder := os.environ.get("READY_DIR"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, str(worker.pid)).touch()


def _watch(worker: Any) -> None:
    """Cut requests at their deadline."""
    watch = deadline.watch()
    if watch:
        if hasattr(worker, "watch"):
            worker.watch(watch)
        watch.begin(functools.partial(_replace, worker, watch))


def _replace(worker: Any, watch: deadline.Watch) -> None:
    """End a worker that lost threads, once they alone are left; its master starts another one."""
    if hasattr(worker, "retire"):
        if worker.retire(watch.lost()):
            _leave(worker)
    elif worker.cfg.worker_class_str == "sync":
        _leave(worker)  # it has no other request
    else:
        pool().replace(watch.lost())
        os.kill(worker.pid, signal.SIGTERM)


def _leave(worker: Any) -> None:
    """End this process, with its spans sent: a normal exit would wait for the lost threads."""
    from runtime import tracing

    _not_ready(worker.pid)
    tracing.flush()
    tracing.give_up()
    os._exit(0)


def _reserve(cfg: Any) -> None:
    """Let a worker that runs into the grace period's end send its spans before it is killed."""
    # Not at the top, as no hook that runs before gevent has patched the sockets may import it.
    from runtime import tracing

    # The worker's loop looks at the clock once a second.
    reserve = 1 + int(tracing.FLUSH_SECONDS)
    grace = cfg.graceful_timeout
    cfg.set("graceful_timeout", int(max(grace / 2, grace - reserve)))


def worker_exit(_arbiter: Any, worker: Any) -> None:
    """Send the last spans: gunicorn ends without Python's exit handlers where requests hang."""
    from runtime import tracing

    watch = deadline.watch()
    if watch and watch.lost():
        _leave(worker)
    _not_ready(worker.pid)
    tracing.flush()


def child_exit(_arbiter: Any, worker: Any) -> None:
    """Clear up in the master after a worker, which may have been killed."""
    _not_ready(worker.pid)
    metrics.forget(metrics_folder(), worker.pid)


def on_exit(_arbiter: Any) -> None:
    """Remove the metrics' folder, where it was made here."""
    if made := os.environ.get("MOORINGS_METRICS_MADE"):
        shutil.rmtree(made, ignore_errors=True)


@functools.cache
def _max_body_bytes() -> int:
    return settings.read().max_body_bytes


def _not_ready(pid: int) -> None:
    if folder := os.environ.get("READY_DIR"):
        with contextlib.suppress(OSError):
            Path(folder, str(pid)).unlink(missing_ok=True)
