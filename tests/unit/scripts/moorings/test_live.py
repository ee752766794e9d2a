"""A switch that is broken off leaves the old master the live one, with a real supervisor."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moorings import probe
from moorings.layout import Layout
from moorings.live import Launch, Live
from moorings.runner import LocalRunner
from moorings.settings import Server, Settings
from moorings.target import Context, Release

#: Ready at once; answers nothing, and ends by SIGTERM.
SERVER = """
import os, pathlib, signal
pathlib.Path(os.environ["READY_DIR"], str(os.getpid())).touch()
signal.pause()
"""


def release(version: str) -> Release:
    return Release(version, "", "", {"WEB_CONCURRENCY": "1"})


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    settings = Settings(tmp_path, server=replace(Server(), port=0, keep_alive=1, grace=5))
    context = Context(settings, LocalRunner(), Layout(tmp_path, tmp_path, "mine"), None)
    made = Live(context)
    yield made
    made.stop()


def switch(live: Live, version: str) -> None:
    launch = Launch([sys.executable, "-c", SERVER], dict(os.environ), live.layout.home)
    live.layout.logs.mkdir(parents=True, exist_ok=True)
    live.switch(release(version), launch)


@pytest.mark.parametrize("done", [True, False])
def test_an_interrupt_at_the_last_step_leaves_the_old_one(
    live: Live, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    switch(live, "old")
    ask, interrupted = live.supervised.ask, []

    def interrupts(do: str, **request: Any) -> dict[str, Any]:
        if do == "good" and not interrupted:
            interrupted.append(do)
            if done:
                ask(do, **request)
            raise KeyboardInterrupt
        return ask(do, **request)

    monkeypatch.setattr(live.supervised, "ask", interrupts)
    with pytest.raises(KeyboardInterrupt):
        switch(live, "new")
    assert live.master is not None
    assert live.master.about["version"] == "old"
    probe.until(
        lambda: True if len(live.supervised.masters()) == 1 else None,
        what="the new master to be gone",
        timeout=10,
    )


def test_an_interrupt_of_the_first_one_leaves_nothing(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupts(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(live, "wait_for_workers", interrupts)
    with pytest.raises(KeyboardInterrupt):
        switch(live, "first")
    assert live.supervised.process() is None
