"""Gunicorn with one worker on the server's core: ours as it is shipped, the others plain."""

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import click

from bench import processes
from bench.processes import Cores
from bench.variants import FULL, PATHS, Variant

WORKERS = ("sync", "gthread", "gevent", "asgi")
_THREADS = 4
_PATIENCE = 30


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _argv(variant: Variant, worker: str, bind: str) -> list[str]:
    gunicorn = [sys.executable, "-m", "gunicorn"]
    if variant.kind == FULL:
        return [*gunicorn, "-c", "deploy/gunicorn/gunicorn.conf.py"]
    app = "bench.apps:asgi" if worker == "asgi" else "bench.apps:application"
    threads = ["--threads", str(_THREADS)] if worker == "gthread" else []
    return [*gunicorn, "-k", worker, "-w", "1", *threads, "-b", bind, "--keep-alive", "5",
            "--worker-tmp-dir", "/dev/shm", "--no-control-socket", app]  # fmt: skip


@contextlib.contextmanager
def server(
    variant: Variant, worker: str, workload: str, place: Path, cores: Cores, env: dict[str, str]
) -> Iterator[str]:
    """Run a server, and lend the address of the page that is asked."""
    bind = f"127.0.0.1:{_port()}"
    log = place / f"{worker}-{workload}-{variant}.log"
    more = {**env, "BIND": bind, "WORKER_CLASS": worker, "WEB_CONCURRENCY": "1",
            "THREADS": str(_THREADS), "REQUEST_DEADLINE": "30"}  # fmt: skip
    url = f"http://{bind}{PATHS[workload]}"
    with processes.reader(cores.load, log) as stdout:
        argv = _argv(variant, worker, bind)
        with processes.running(argv, cores.server, more, log, stdout=stdout) as process:
            _wait(url, process, log)
            yield url


def _wait(url: str, process: "subprocess.Popen[str]", log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.05)
    raise click.ClickException(f"{log.stem} did not answer:\n{processes.last_words(log)}")
