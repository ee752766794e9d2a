"""A run is held against the committed report: another outcome is an error, a new check is none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from moorings.contract.column import Column
from moorings.contract.differs import Committed
from moorings.contract.outcome import Limit, Outcome, Verdict

ROOT = Path(__file__).resolve().parents[5]
ALWAYS = Limit("cause", "https://example.com", "always", "")
RARE = Limit("cause", "https://example.com", "now and then", "", always=False)


def committed(grid: Path, *limits: Limit, store: bool = True, **outcomes: str) -> Committed:
    checks = [{"id": id, "outcome": outcome} for id, outcome in outcomes.items()]
    (grid / "fake.json").write_text(json.dumps({"column": "fake", "checks": checks}))
    has = frozenset({"store"} if store else ())
    return Committed(Column("fake", has=has, limits=dict(zip("a", limits, strict=False))), grid)


@pytest.mark.parametrize(
    ("here", "there", "differs"),
    [
        ("pass", "pass", False),
        ("limit", "limit", False),
        ("pass", "limit", True),
        ("limit", "pass", True),
        ("pass", "fail", True),
        ("n/a", "pass", True),
        ("pass", "n/a", True),
        ("pass", "skip", True),
        ("skip", "pass", False),
    ],
)
def test_another_outcome_differs(tmp_path: Path, here: Outcome, there: str, differs: bool) -> None:
    said = committed(tmp_path, ALWAYS, a=there).difference(Verdict("a", here))
    assert bool(said) is differs
    assert not differs or said.startswith(f"a is {here} here and {there} in docs/grid/fake.json")


@pytest.mark.parametrize(("here", "there"), [("pass", "limit"), ("limit", "pass")])
def test_a_limit_that_shows_now_and_then_is_free(tmp_path: Path, here: Outcome, there: str) -> None:
    assert not committed(tmp_path, RARE, a=there).difference(Verdict("a", here))
    assert committed(tmp_path, RARE, a="n/a").difference(Verdict("a", here))


def test_a_younger_check_is_no_difference(tmp_path: Path) -> None:
    report = committed(tmp_path, a="pass")
    assert report.lacks(Verdict("b", "pass"))
    assert not report.lacks(Verdict("a", "pass"))
    assert not report.difference(Verdict("b", "limit"))


def test_without_a_report_nothing_is_younger(tmp_path: Path) -> None:
    none = Committed(Column("fake", has=frozenset({"store"})), tmp_path)
    assert not none.lacks(Verdict("a", "pass"))
    assert not none.difference(Verdict("a", "pass"))


def test_another_app_is_not_held_against_the_sample(tmp_path: Path) -> None:
    assert not committed(tmp_path, store=False, a="pass").difference(Verdict("a", "n/a"))


MODULE = """
from dataclasses import dataclass
from pathlib import Path

from moorings.contract import suite
from moorings.contract.column import Column
from moorings.contract.run import Run
from moorings.contract.suite import pytest_generate_tests, records, test_check

suite.REPORTS = suite.GRID = Path(__file__).parent


@dataclass(frozen=True)
class Fake(Run):
    def column(self):
        return Column("fake", has=frozenset({"store"}))


RUNS = (Fake("fake", only=("serve.ready", "serve.http")),)
"""


@pytest.mark.parametrize(("there", "ends"), [("n/a", 0), ("pass", 1)])
def test_a_run_of_the_suite_fails_where_it_differs(tmp_path: Path, there: str, ends: int) -> None:
    committed(tmp_path, **{"serve.ready": there})
    (tmp_path / "test_fake.py").write_text(MODULE)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir"]
    ran = subprocess.run(
        [*argv, str(tmp_path), "-c", os.devnull, str(tmp_path)], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")}, timeout=60,
    )  # fmt: skip
    assert ran.returncode == ends, ran.stdout + ran.stderr
    assert "  new   serve.http         younger than docs/grid/fake.json" in ran.stdout
    said = "serve.ready is n/a here and pass in docs/grid/fake.json"
    assert (said in ran.stdout) is bool(ends)
