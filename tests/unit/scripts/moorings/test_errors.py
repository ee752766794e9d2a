"""What the system refuses is an error in two lines, with the path, and never a traceback."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from moorings import errors

SCRIPTS = Path(__file__).resolve().parents[4] / "scripts"


def test_the_path_and_what_is_wrong_with_it_are_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        (tmp_path / "none").read_text()
    said = errors.of_system(caught.value)
    assert said.fact == f"{tmp_path}/none: No such file or directory"
    assert "MOOR_DEPLOYMENT_STATE=" in said.hint


def test_a_move_names_both_paths(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        (tmp_path / "a").rename(tmp_path / "b")
    assert errors.of_system(caught.value).fact.startswith(f"{tmp_path}/a -> {tmp_path}/b: ")


def test_a_full_disk_has_its_own_next_step() -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        Path("/dev/full").write_text("x")
    assert caught.value.errno == errno.ENOSPC
    assert errors.of_system(caught.value).hint == "free some space on that disk, then try again"


def test_one_without_a_path_or_a_number_keeps_its_text() -> None:
    assert errors.of_system(OSError("half of it")).fact == "half of it"


def test_a_state_folder_that_cannot_be_made_is_two_lines(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    state = tmp_path / "file" / "state"
    ran = subprocess.run(
        [sys.executable, "-m", "moorings", "down", "--set", f"deployment.state={state}"],
        env={"PATH": os.defpath, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    fact, step = ran.stderr.splitlines()
    assert ran.returncode == 1
    assert fact.startswith(f"Error: {state}")
    assert fact.endswith("Not a directory")
    assert step.startswith("Next:  ")


def test_the_state_folder_can_be_entered_whatever_the_umask_is(tmp_path: Path) -> None:
    state = tmp_path / "state"
    subprocess.run(
        [sys.executable, "-m", "moorings", "down", "--set", f"deployment.state={state}"],
        env={"PATH": os.defpath, "PYTHONPATH": str(SCRIPTS)},
        umask=0o077, check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    assert state.stat().st_mode & 0o777 == 0o755


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(
        [sys.executable, "-m", "moorings", "config", "--set", f"deployment.state={tmp_path}"],
        env={"PATH": os.defpath, "PYTHONPATH": str(SCRIPTS)},
        stdout=write, stderr=subprocess.PIPE, text=True, timeout=30,
    )  # fmt: skip
    os.close(write)
    assert (ran.returncode, ran.stderr) == (1, "")
