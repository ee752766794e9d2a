"""The suite that pytest runs: one test per check, on each column of the module that imports it.

A module of `tests/targets` imports all three public names and says `RUNS = of_target("gunicorn")`.
"""

import io
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace

import pytest
from rich.console import Console
from rich.text import Text

from moorings.contract import report
from moorings.contract.differs import Committed
from moorings.contract.kept import GRID
from moorings.contract.outcome import Verdict, judge
from moorings.contract.registry import Check
from moorings.contract.report import Record
from moorings.contract.run import PLUGIN, REPORTS, Plugin, Run, explained

#: What moor said while a check ran is shown where it failed, from its end.
SAID = 2000

#: Seconds between two signs of life.
BEAT = 20.0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each check that a run asks for."""
    plugin = metafunc.config.stash.get(PLUGIN, None)
    runs: tuple[Run, ...] = (plugin.run,) if plugin is not None else metafunc.module.RUNS
    cases = [
        pytest.param(run, check, id=f"{run}-{check}") for run in runs for check in run.checks()
    ]
    metafunc.parametrize(("run", "check"), cases)


class Records:
    """The record of the run that is on: one column at a time is open."""

    def __init__(self, plugin: Plugin | None) -> None:
        """Open nothing yet."""
        self._plugin = plugin
        self._on: tuple[Run, Record] | None = None

    def of(self, run: Run) -> Record:
        """Return the record of a run; the first time, after the end of the one before."""
        if self._on is None or self._on[0] is not run:
            self.close()
            self._on = (run, self._open(run))
        return self._on[1]

    def _open(self, run: Run) -> Record:
        if self._plugin is None:
            return Record(run.column())
        self._plugin.record = Record(self._plugin.column)
        return self._plugin.record

    def close(self) -> None:
        """Take the column away and write the report."""
        if self._on is None:
            return
        record, self._on = self._on[1], None
        try:
            with redirect_stdout(io.StringIO()):
                record.column.close()
        finally:
            record.write(self._plugin.reports if self._plugin is not None else REPORTS)


@pytest.fixture(scope="module")
def records(request: pytest.FixtureRequest) -> Iterator[Records]:
    """Lend the records of a module, and close the last one."""
    made = Records(request.config.stash.get(PLUGIN, None))
    try:
        yield made
    finally:
        made.close()


def test_check(
    run: Run,
    check: Check,
    records: Records,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Judge one check; its line is shown at once."""
    record, ours = records.of(run), PLUGIN not in request.config.stash
    # `make test` runs two columns at a time.
    head = f"{run}" if ours else ""
    with capsys.disabled():
        screen = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        with _waiting(screen, check, head):
            verdict = _quietly(check, record)
        screen.print(Text.assemble(head, report.line(verdict)))
        # The project's own runs are held against the grid; an operator's are on another app.
        committed = Committed(record.column, GRID)
        if ours and committed.lacks(verdict):
            screen.print(f"{head}  new   {check.id:18} younger than {committed.name}")
    record.verdicts.append(verdict)
    request.node.user_properties.append(("figure", verdict.figure))
    _tell(verdict, run, committed.difference(verdict) if ours else "")


def _waiting(screen: Console, check: Check, head: str) -> AbstractContextManager[object]:
    text = Text(f"{check.id}: {check.proves}", overflow="ellipsis", no_wrap=True)
    alone = screen.is_terminal and not head
    return screen.status(text) if alone else _beating(screen, check, head)


@contextmanager
def _beating(screen: Console, check: Check, head: str) -> Iterator[None]:
    """Give a sign of life where no terminal can show one: the first check may build a Jaeger."""
    done, began = threading.Event(), time.monotonic()

    def beat() -> None:
        while not done.wait(BEAT):
            screen.print(f"{head}  …     {check.id:18} {time.monotonic() - began:.0f} s")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _quietly(check: Check, record: Record) -> Verdict:
    """Judge it while moor's own words go to a buffer, which a failure shows."""
    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            verdict = judge(check, record.column)
            evidence = record.column.evidence() if verdict.red else ""
    except SystemExit as stop:
        # A signal that ends moor: no check may swallow it.
        pytest.exit("stopped", returncode=int(stop.code or 0))
    if verdict.outcome != "fail":
        return verdict
    parts = (verdict.details, evidence, said.getvalue()[-SAID:])
    return replace(verdict, details="\n".join(part.rstrip() for part in parts if part))


def _tell(verdict: Verdict, run: Run, difference: str) -> None:
    """Say it in pytest's words."""
    if verdict.outcome == "fail":
        pytest.fail(explained(verdict, run), pytrace=False)
    if difference:
        pytest.fail(f"{difference}\nRepeat: {run.repeat(verdict.id)}", pytrace=False)
    if verdict.outcome == "limit":
        pytest.xfail(verdict.reason)
    if verdict.outcome in ("n/a", "skip"):
        pytest.skip(f"{verdict.outcome}: {verdict.reason}")
