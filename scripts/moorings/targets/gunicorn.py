"""Gunicorn as plain processes on this host."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from moorings.contract.outcome import Limit
from moorings.mastered import MasteredTarget
from moorings.settings import option
from moorings.target import Context


@dataclass(frozen=True)
class Options:
    """Section [gunicorn] of moor.toml."""

    worker: str = option(
        "gthread",
        "class of the workers",
        flag="--worker",
        make="WORKER",
        choices=("gthread", "sync", "gevent", "asgi"),
    )


#: The columns of the grid: a class of workers each.
COLUMNS = {
    f"gunicorn-{worker}": {"gunicorn.worker": worker}
    for worker in ("gthread", "sync", "gevent", "asgi")
}

_SYNC = frozenset({"gunicorn-sync"})

#: Known limits, by the check that shows them.
LIMITS = {
    "serve.keepalive": Limit(
        "a sync worker closes every connection after its answer",
        "https://docs.gunicorn.org/en/stable/design.html#sync-workers",
        "always",
        _SYNC,
    ),
}


def create(context: Context) -> MasteredTarget:
    """Return the target."""
    return MasteredTarget(context, Gunicorn(context.settings.of(Gunicorn.name, Options)))


class Gunicorn:
    """Its command lines."""

    name = "gunicorn"
    title = "Gunicorn"

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
