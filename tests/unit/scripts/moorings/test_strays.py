"""Real processes that look like those of a deployment, or almost."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moorings import strays
from moorings.layout import Layout
from moorings.runner import User

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    began: list[subprocess.Popen[bytes]] = []

    def begin(ready_dir: Path, *argv: str) -> "subprocess.Popen[bytes]":
        code = "print(flush=True); import time; time.sleep(60)"
        one = subprocess.Popen(
            [sys.executable, "-c", code, *argv],
            env={"READY_DIR": str(ready_dir)},
            stdout=subprocess.PIPE,
        )
        began.append(one)
        assert one.stdout is not None
        # Before it has become Python, its words are still those of this process.
        one.stdout.readline()
        return one

    yield begin
    for one in began:
        one.kill()
        one.communicate()


def test_servers_and_supervisor_are_found_and_end(tmp_path: Path, start: Start) -> None:
    mine = Layout(tmp_path, tmp_path, "mine")
    server = start(mine.run / "v1" / "ready")
    supervisor = start(tmp_path, str(mine.home / "supervisor.py"))
    start(tmp_path / "mine-too" / "run" / "v1")
    start(tmp_path, f"tail -f {mine.home}/supervisor.py")
    found = strays.find(mine.home, None)
    assert {one.pid for one in found} == {server.pid, supervisor.pid}
    strays.stop(found, grace=10)
    assert strays.find(mine.home, None) == []


def test_those_of_other_users_are_not_ours(tmp_path: Path, start: Start) -> None:
    mine = Layout(tmp_path, tmp_path, "mine")
    start(mine.run / "v1" / "ready")
    assert strays.find(mine.home, User("nobody", 65534, 65534)) == []
