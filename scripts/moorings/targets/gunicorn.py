"""Gunicorn as plain processes on this host."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from moorings import ui
from moorings.contract.outcome import Limit
from moorings.mastered import MasteredTarget
from moorings.settings import option
from moorings.target import Context, Release


@dataclass(frozen=True)
class Options:
    """Section [gunicorn] of moor.toml."""

    worker: str = option(
        "gthread",
        "class of the workers",
        flag="--worker",
        make="WORKER",
        choices=("gthread", "sync", "gevent", "asgi", "uvicorn"),
        gone={"eventlet": "removed from Gunicorn 26; use gevent"},
    )


#: What a deploy says of a worker that is there only to be compared with.
LOSSES = {
    "gunicorn-uvicorn": "uvicorn workers lose the spans before a stop, and answer 500 in reloads"
    " under load (./moor check gunicorn --worker uvicorn); asgi is Gunicorn's own",
}

#: The columns of the grid: a class of workers each.
COLUMNS = {
    f"gunicorn-{worker}": {"gunicorn.worker": worker}
    for worker in ("gthread", "sync", "gevent", "asgi")
} | {
    f"gunicorn-{worker}+nginx": {"gunicorn.worker": worker, "gateway.kind": "nginx"}
    for worker in ("gthread", "sync")
}

_SYNC = frozenset({"gunicorn-sync"})

#: Known limits, by the check that shows them.
LIMITS = {
    "serve.keepalive": Limit(
        "a sync worker closes every connection after its answer",
        "https://docs.gunicorn.org/en/stable/design.html#sync-workers",
        "always",
        r"^the server closes this connection, as it announced$",
        _SYNC,
    ),
    "serve.slow_clients": Limit(
        "a client that sends slowly holds a thread: put a gateway that buffers requests before it",
        "https://docs.gunicorn.org/en/stable/deploy.html#nginx-configuration",
        "always",
        r"^no answer beside 500 slow clients",
        _SYNC | {"gunicorn-gthread"},
    ),
    "drain.queued": Limit(
        "a sync worker that stops resets what waits in the backlog",
        "https://github.com/benoitc/gunicorn/issues/3397",
        "always",
        r"^\d of 5 failed; the first: ",
        _SYNC,
    ),
}


def create(context: Context) -> MasteredTarget:
    """Return the target."""
    return _Target(context, Gunicorn(context.settings.of(Gunicorn.name, Options)))


class _Target(MasteredTarget):
    """Says what a worker is known to lose."""

    def start(self, release: Release) -> None:
        losses = LOSSES.get(self.column)
        if losses:
            ui.warn(losses)
        super().start(release)


class Gunicorn:
    """Its command lines."""

    name = "gunicorn"
    title = "Gunicorn"
    gateway = "none"
    protocol = "http"

    def __init__(self, options: Options) -> None:
        """Keep the operator's choices."""
        self.options = options

    @property
    def column(self) -> str:
        """Name the server and its worker."""
        return f"{self.name}-{self.options.worker}"

    def argv(self, files: Path, programs: Path) -> list[str]:
        """Name the program and its configuration; all else comes by the environment."""
        return [str(programs / "gunicorn"), "--config", str(files / "gunicorn.conf.py")]

    def env(self) -> Mapping[str, str]:
        """Choose the class of workers."""
        return {"WORKER_CLASS": self.options.worker}

    def checking(self, argv: list[str]) -> list[str]:
        """Load the configuration and the app, and serve nothing."""
        return [*argv, "--check-config"]
