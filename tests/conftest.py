"""What a run of the tests has of the machine, and gives back."""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from moorings import cluster, deployment
from moorings.layout import Layout
from moorings.packages import Supply
from moorings.runner import LocalRunner
from moorings.services import cluster_needs
from moorings.services import engine as engines
from moorings.services.engine import Engine
from moorings.targets.docker import ROOT


def pytest_configure() -> None:
    """Let SIGTERM, by which CI ends a run, clean up as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def docker() -> Iterator[Engine]:
    """A Docker engine; one that a run of tests had to start is gone after the last that uses it.

    Where there is none, and none may be installed, what needs it is left out; in CI it fails.
    """
    layout = deployment.open(ROOT, os.environ, {}, "docker", looks_only=True).layout
    engine = Engine(LocalRunner(), layout, os.environ)
    try:
        with engines.in_use(engine):
            there = engine.needs()[0].there
            _get(engine)
            if not there:
                (layout.engine / "tests").write_text(_text(layout.engine / "pid"))
            yield engine
    finally:
        # One that somebody else has started since is his.
        if _text(layout.engine / "tests") == _text(layout.engine / "pid") != "":
            engines.put_away(engine)


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def _get(engine: Engine) -> None:
    """See that an engine answers: a run that ended a moment ago may have put it away."""
    supply = Supply(engine.runner, engine.layout.state, yes=True)
    for need in engine.needs():
        if not need.there and not supply(need):
            refuse = pytest.fail if os.environ.get("CI") else pytest.skip
            refuse(f"{need.what}: {need.how}")


@pytest.fixture(scope="session")
def kubernetes(docker: Engine) -> Iterator[None]:
    """A cluster on this machine: the one that kubectl knows, or one to be thrown away.

    Where none may be made, what needs it is left out; CI has no such case.
    """
    made = deployment.open(ROOT, os.environ, {}, "k8s", looks_only=True)
    ours = cluster.of(made.layout, LocalRunner()).record()
    if all(need.there for need in made.target.needs()) and (ours is None or ours.owner is None):
        yield
        return
    lacks = [need for need in cluster_needs.needs() if not need.there and not need.packages]
    if lacks and not os.environ.get("CI"):
        pytest.skip(f"{lacks[0].what}: {lacks[0].how}")
    with _cluster(made.layout):
        yield


@contextmanager
def _cluster(layout: Layout) -> Iterator[None]:
    """A cluster to be thrown away, by the last of the runs side by side that use it."""
    layout.clusters.mkdir(parents=True, exist_ok=True)
    with (layout.clusters / f"{layout.name}.users").open("ab") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        # What runs the tests outlives each of them.
        own = cluster.prepare(layout, LocalRunner(), yes=True)
        own.up(owner=os.getppid())
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield
        finally:
            with suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                record = own.record()
                if record is not None and record.owner is not None:
                    own.down()
