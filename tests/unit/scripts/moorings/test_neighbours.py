"""Another deployment is seen by what lives of it, not by the folder that it left."""

import json
import os
from pathlib import Path

import psutil
import pytest

from moorings import neighbours, supervisor
from moorings.layout import Layout
from moorings.lock import Lock
from moorings.services.jaeger_source import Kind
from moorings.services.jaeger_state import PORTS, State, StateFile


@pytest.fixture
def mine(tmp_path: Path) -> Layout:
    return Layout(tmp_path, tmp_path / "state", "mine")


def jaeger(home: Path, pid: int, started: float, container: str = "") -> None:
    ports = dict.fromkeys(PORTS, 1)
    state = State(Kind.BINARY, "jaeger", "memory", ports, pid, started, container)
    StateFile(home / "jaeger.json").write(state)


def supervised(home: Path, pid: int, began: int) -> None:
    (home / "supervisor").mkdir(parents=True)
    state = {"pid": pid, "began": began, "address": "", "masters": []}
    (home / "supervisor" / "state.json").write_text(json.dumps(state))


def test_one_whose_processes_live_is_busy(mine: Layout, runner) -> None:
    me = os.getpid()
    supervised(mine.state / "app", me, supervisor.began(me))
    jaeger(mine.state / "traces", me, psutil.Process().create_time())
    jaeger(mine.state / "container", 0, 0, "a1b2c3")
    assert neighbours.busy(mine, runner) == ["app", "container", "traces"]


def test_one_whose_processes_ended_is_not(mine: Layout, runner) -> None:
    supervised(mine.state / "app", os.getpid(), 1)
    jaeger(mine.state / "traces", os.getpid(), 1)
    (mine.state / "empty").mkdir()
    (mine.state / "environments").mkdir()
    assert neighbours.busy(mine, runner) == []


def test_one_that_is_being_changed_is_busy(mine: Layout, runner) -> None:
    lock = Lock(mine.state / "other" / "lock")
    with lock.held("deploy abc"):
        assert neighbours.busy(mine, runner) == ["other"]
    assert neighbours.busy(mine, runner) == []


def test_one_s_own_processes_do_not_count(mine: Layout, runner) -> None:
    jaeger(mine.home, os.getpid(), psutil.Process().create_time())
    assert neighbours.busy(mine, runner) == []


def test_nothing_was_ever_deployed(mine: Layout, runner) -> None:
    assert neighbours.busy(mine, runner) == []
    assert neighbours.with_data(mine.state) == []
