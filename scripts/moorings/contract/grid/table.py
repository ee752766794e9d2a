"""Column x check, as the reports say it: nothing comes from the code, which may have gone on."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moorings.contract import kept

#: Each outcome with its sign and what it means; a page never tells them apart by colour alone.
SIGNS: Mapping[str, tuple[str, str]] = {
    "pass": ("✓", "proved"),
    "fail": ("✗", "refuted"),
    "limit": ("◑", "a known limit, with its cause"),
    "n/a": ("○", "a need that this column cannot have"),
    "skip": ("?", "not asked: a tool was missing"),
}


#: What the release of an image ends with: the server in it.
IMAGE = re.compile(r"-(gunicorn|uwsgi|apache)$")


@dataclass(frozen=True)
class Cell:
    """What one check found on one column."""

    id: str
    outcome: str
    figure: str = ""
    seconds: float = 0.0
    reason: str = ""

    @property
    def sign(self) -> str:
        """Sign and word: the word alone would do, the sign is quicker to find."""
        return f"{SIGNS[self.outcome][0]} {self.outcome}"


@dataclass(frozen=True)
class Column:
    """One report."""

    name: str
    release: str
    commit: str
    started: str
    machine: str
    cells: Mapping[str, Cell] = field(default_factory=dict)

    @property
    def day(self) -> str:
        """The day on which it was proved, in UTC."""
        return self.started[:10]

    @property
    def changed(self) -> bool:
        """Tell whether the tree held more than its commit."""
        made = IMAGE.sub("", self.release)
        return bool(self.commit) and made != self.commit[:12]

    @property
    def minutes(self) -> int:
        """How long its checks took."""
        return round(sum(cell.seconds for cell in self.cells.values()) / 60)


@dataclass(frozen=True)
class Grid:
    """All reports, and the checks that any of them has."""

    columns: tuple[Column, ...]

    @property
    def checks(self) -> list[str]:
        """Ids in the order of the longest report, then what only others have."""
        longest = sorted(self.columns, key=lambda column: -len(column.cells))
        return list(dict.fromkeys(id for column in longest for id in column.cells))

    @property
    def counts(self) -> Counter[str]:
        """How often each outcome occurs."""
        return Counter(cell.outcome for column in self.columns for cell in column.cells.values())

    def explained(self) -> list[tuple[Column, Cell]]:
        """Return what needs a word: each limit, failure and skip."""
        every = [(column, cell) for column in self.columns for cell in column.cells.values()]
        return [(column, cell) for column, cell in every if cell.outcome not in ("pass", "n/a")]


def load(folder: Path = kept.GRID) -> Grid:
    """Read every report of a folder, in the order of their names."""
    files = sorted(folder.glob("*.json"), key=lambda file: file.stem)
    return Grid(tuple(_column(kept.read(file)) for file in files))


def _column(report: kept.Report) -> Column:
    cells = _cells(report["checks"])
    named = {name: report[name] for name in ("release", "commit", "started")}
    return Column(report["column"], machine=_machine(report["machine"]), cells=cells, **named)


def _cells(entries: Iterable[Mapping[str, Any]]) -> dict[str, Cell]:
    return {entry["id"]: Cell(**entry) for entry in entries}


def _machine(facts: Mapping[str, Any]) -> str:
    """Return it in one line; what ran is part of it."""
    servers = [f"{name} {version}" for name, version in facts["servers"].items()]
    host = f"{facts['cores']} cores of {facts['cpu']}, {facts['memory_gib']} GiB"
    software = [f"Linux {facts['kernel']}", f"Python {facts['python']}", *servers]
    return ", ".join([host, *software])
