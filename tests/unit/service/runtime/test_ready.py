"""`python -m runtime.ready`, run as moor runs it, with small apps of the test's own."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.unit.service.runtime.conftest import REPOSITORY

from runtime import ready

APP = """
import time
MADE = time.monotonic()

def app(environ, start_response): ...

class Never(Exception):
    permanent = True

def good(): ...
def bad(): raise ValueError("not\\nyet")
def never(): raise Never("the data are too new")
def soon(): return time.monotonic() - MADE > 0.5
"""


def ask(folder: Path, check: str, seconds: float = 1) -> "subprocess.CompletedProcess[str]":
    (folder / "shop.py").write_text(APP)
    return subprocess.run(
        [sys.executable, "-m", "runtime.ready", str(seconds)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{REPOSITORY / 'service'}:{folder}",
             "APP": "shop:app", "READY": check},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )  # fmt: skip


def test_a_ready_app_is_accepted_in_silence(tmp_path: Path) -> None:
    done = ask(tmp_path, "shop:good")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_one_without_a_check_is_not_even_loaded(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("1/0")
    assert ask(tmp_path, "").returncode == 0


def test_one_that_is_not_ready_says_so_in_one_line(tmp_path: Path) -> None:
    done = ask(tmp_path, "shop:bad", seconds=0.1)
    assert (done.returncode, done.stderr) == (1, "not yet\n")


def test_one_that_needs_time_is_given_it(tmp_path: Path) -> None:
    assert ask(tmp_path, "shop:soon", seconds=10).returncode == 0


def test_one_that_will_never_be_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    done = ask(tmp_path, "shop:never", seconds=60)
    assert (done.returncode, done.stderr) == (1, "the data are too new\n")
    assert time.monotonic() - began < 30


def test_a_check_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = ask(tmp_path, "shop:god")
    assert done.returncode == 3
    assert done.stderr == (
        "moorings: READY: module 'shop' has no attribute 'god'; did you mean 'good'?\n"
    )


def test_false_is_not_ready() -> None:
    assert ready.ask(lambda: False, 0) == "it returned False"
