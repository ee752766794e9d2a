"""What ends a run of the tests from outside."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]

WAITS = """
import pathlib, time, pytest

@pytest.fixture
def started():
    pathlib.Path("started").touch()
    yield
    pathlib.Path("stopped").touch()

def test_long(started):
    time.sleep(60)
"""


def test_sigterm_stops_what_a_fixture_started(tmp_path: Path) -> None:
    (tmp_path / "test_waits.py").write_text(WAITS)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "conftest", "test_waits.py"]
    paths = (TESTS, TESTS.parent / "scripts")
    env = {**os.environ, "PYTHONPATH": ":".join(map(str, paths))}
    with subprocess.Popen(argv, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL) as run:
        until = time.monotonic() + 20
        while not (tmp_path / "started").exists() and time.monotonic() < until:
            time.sleep(0.02)
        run.send_signal(signal.SIGTERM)
        assert run.wait(20) == 2
    assert (tmp_path / "stopped").exists()
