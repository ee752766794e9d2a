"""The verb `moor prove`: the whole contract at full size, column by column, kept for the grid."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from moorings import targets, tree, ui, words
from moorings.contract import kept
from moorings.contract.run import REPORTS, ROOT, Run, check
from moorings.errors import MoorError, UsageError

#: What an outcome may depend on: what runs, what runs it, and what judges it.
PARTS = ("service", "deploy", "scripts", "moor.toml")


def content() -> str:
    """Hash what an outcome may depend on; what git ignores is left out."""
    return tree.digest(ROOT, PARTS)[:16]


@dataclass(frozen=True)
class Proof:
    """How a column is proved, and where its report is kept."""

    check: Callable[[Run, Path], int] = check
    content: Callable[[], str] = content
    reports: Path = REPORTS
    grid: Path = kept.GRID

    def has(self, column: str) -> bool:
        """Tell whether there is a report on this very tree that needs no other."""
        found = kept.of(column, self.grid)
        same = found.get("content") == self.content()
        return same and kept.whole(found) and not kept.red(found)

    def make(self, column: str, run: Run) -> kept.Report:
        """Prove a column and keep its report.

        :raises MoorError: where the suite itself did not come through, or the tree changed
            meanwhile: a report is on one tree.
        """
        before, file = self.content(), self.reports / f"{column}.json"
        # What an earlier run found of another set of checks must not be merged into this one.
        file.unlink(missing_ok=True)
        self.check(run, self.reports)
        report = {**kept.read(file), "content": before}
        if self.content() != before:
            fact = f"the tree changed while {column} was proved: its report is not kept"
            raise MoorError(fact, hint=f"./moor prove {column}")
        if not kept.whole(report):
            fact = f"{column}: the suite did not come through; docs/grid keeps what it had"
            raise MoorError(fact, hint=f"./moor prove {column}")
        kept.write(report, self.grid)
        return report


def choose(wanted: Sequence[str]) -> dict[str, Run]:
    """Return the run of each column that is asked for; none: of all.

    :raises UsageError: naming the nearest of one that does not exist.
    """
    known = targets.columns()
    for name in wanted:
        if name not in known:
            meant = words.meant(name, known)
            raise UsageError(f"no column {name!r}{meant}", hint=f"columns: {', '.join(known)}")
    chosen = {name: known[name] for name in known if not wanted or name in wanted}
    return {name: Run(target, flags, full=True) for name, (target, flags) in chosen.items()}


def run(wanted: Sequence[str], proof: Proof) -> int:
    """Prove columns, each unless it is proved already; return 1 where anything is red.

    Ctrl-C loses the column that is being proved, and no other.
    """
    runs, began = choose(wanted), time.monotonic()
    proved = []
    for at, (column, one) in enumerate(runs.items(), 1):
        minutes = (time.monotonic() - began) / 60
        ui.say(f"\n{column} (column {at} of {len(runs)}, {minutes:.0f} min so far)", style="bold")
        proved.append(_proved(column, one, proof))
    ui.say("\nmake grid   makes the pages of the reports in docs/grid")
    return 0 if all(proved) else 1


def _proved(column: str, run: Run, proof: Proof) -> bool:
    if proof.has(column):
        ui.good(f"proved already: docs/grid/{column}.json is on this very tree")
        return True
    report = proof.make(column, run)
    counted = Counter(entry["outcome"] for entry in report["checks"])
    ui.say(f"{column}: {', '.join(f'{many} {outcome}' for outcome, many in counted.items())}")
    return not kept.red(report)


@click.command()
@click.argument("columns", nargs=-1, metavar="[COLUMN]...")
def prove(columns: tuple[str, ...]) -> None:
    """Run the whole contract at full size and keep the reports in docs/grid.

    A column whose report is on this very tree is not proved again; Ctrl-C keeps those that are
    done, and the next run goes on after them.

    \b
    Example:
      moor prove                       every column, for hours
      moor prove gunicorn-sync
    """
    sys.exit(run(columns, Proof()))
