"""`moor bench`: what it makes of the times it takes; its deploys are real ones, run by hand."""

import io
import os
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from moorings import bench, tree
from moorings.bench import Timing

PARTS = {"build": 0.5, "proof": 3.0, "window": 5.0, "switch": 1.0, "drain": 7.0, "total": 16.5}


def test_waits_are_no_work() -> None:
    assert Timing(20.0, PARTS).work == pytest.approx(8.0)
    assert Timing(3.0, {"build": 1.0}).work == 3.0


def test_the_table_has_the_median_of_each_part() -> None:
    slow = Timing(40.0, {**PARTS, "build": 9.0, "migrate": 2.0})
    shown = io.StringIO()
    made = bench.table([slow, Timing(20.0, PARTS), Timing(21.0, PARTS)])
    Console(file=shown, width=100).print(made)
    rows = [line.rsplit(maxsplit=3) for line in shown.getvalue().splitlines()]
    assert rows[1] == ["command to record, without the waits", "9.0", "8.0", "28.0"]
    assert ["build", "0.5", "0.5", "9.0"] in rows
    assert rows[-1] == ["all", "21.0", "20.0", "40.0"]
    assert "total" not in shown.getvalue()


def test_the_copy_may_be_changed_and_is_another_release(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / bench.CHANGED).parent.mkdir(parents=True)
    (tmp_path / bench.CHANGED).write_text("")
    before = tree.version(tmp_path, ["service"])
    with bench.copied(tmp_path) as copy:
        assert (copy / ".venv").samefile(tmp_path / ".venv")
        assert tree.version(copy, ["service"]) == before
        (copy / bench.CHANGED).write_text("# 1\n")
        assert tree.version(copy, ["service"]) != before
    assert (tmp_path / bench.CHANGED).read_text() == ""
    assert not copy.exists()


def test_what_is_changed_is_there() -> None:
    root = Path(__file__).resolve().parents[4]
    assert (root / bench.CHANGED).is_file()
    listed = subprocess.run(
        [root / "moor", "bench", "--times", "0"], capture_output=True, text=True, timeout=60,
        env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    assert listed.returncode == 2
    assert "--times" in listed.stderr
