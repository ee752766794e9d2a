"""What a run of the tests has of the machine, and gives back."""

import os
import signal
from collections.abc import Iterator

import pytest

from moorings import deployment
from moorings.runner import LocalRunner
from moorings.services import engine as engines
from moorings.services.engine import Engine
from moorings.targets.docker import ROOT


def pytest_configure() -> None:
    """Let SIGTERM, by which CI ends a run, clean up as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def docker() -> Iterator[Engine]:
    """A Docker engine; one that moor had to start is gone after the tests.

    Where there is none, and none may be installed, what needs it is left out; CI has no such case.
    """
    layout = deployment.open(ROOT, os.environ, {}, "docker", looks_only=True).layout
    engine = Engine(LocalRunner(), layout, os.environ)
    lacks = [need for need in engine.needs() if not need.there]
    if lacks and not os.environ.get("CI"):
        pytest.skip(f"{lacks[0].what}: {lacks[0].how}")
    try:
        with engines.in_use(engine):
            yield engine
    finally:
        engines.put_away(engine)
