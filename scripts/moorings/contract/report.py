"""What came of a run: a line per check, a table, and `reports/<column>.json`."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from moorings.contract import host
from moorings.contract.column import Column
from moorings.contract.outcome import Outcome, Verdict
from moorings.contract.size import Size
from moorings.errors import MoorError

STYLE: dict[Outcome, str] = {
    "pass": "green",
    "fail": "bold red",
    "limit": "yellow",
    "n/a": "dim",
    "skip": "yellow",
}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class Record:
    """The verdicts on one column, as they come in."""

    column: Column
    started: str = field(default_factory=_now)
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The stem of its files; a quick look at a deployment in use never replaces the column."""
        quick = self.column.size is Size.QUICK and bool(self.column.target_name)
        return f"{self.column.name}-quick" if quick else self.column.name

    def document(self) -> dict[str, Any]:
        """Return the report, with the fields that the grid reads."""
        release = _release(self.column)
        return {
            "column": self.column.name,
            "target": self.column.target_name,
            "release": release[0],
            "commit": release[1],
            "size": self.column.size.value,
            "started": self.started,
            "machine": host.facts(self.column.target_name),
            "checks": [_entry(verdict) for verdict in self.verdicts],
        }

    def write(self, folder: Path) -> Path:
        """Write `<column>.json` and return it; what it knows of other checks stays in it."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{self.name}.json"
        merged = _merged(_read(file), self.document())
        file.write_text(json.dumps(merged, indent=2) + "\n")
        return file

    def table(self) -> Table:
        """Return the table that a run ends with."""
        table = Table(title=f"{self.column.name}", title_justify="left", box=None, pad_edge=False)
        for name in ("check", "outcome", "figure"):
            table.add_column(name)
        table.add_column("seconds", justify="right")
        for verdict in self.verdicts:
            said = Text(verdict.outcome, STYLE[verdict.outcome])
            seconds = f"{verdict.seconds:.1f}"
            table.add_row(verdict.id, said, Text(verdict.figure or verdict.reason), seconds)
        return table


def line(verdict: Verdict) -> Text:
    """Return what is shown as soon as a check has ended."""
    said = Text(f"{verdict.outcome:5}", STYLE[verdict.outcome])
    what = verdict.reason if verdict.outcome != "pass" else verdict.figure
    return Text.assemble("  ", said, f" {verdict.id:18} {what} ({verdict.seconds:.1f} s)")


def _release(column: Column) -> tuple[str, str]:
    """Return version and commit; a column that cannot say has a report all the same."""
    try:
        release = column.release
    except MoorError:
        release = None
    return (release.version, release.commit) if release is not None else ("", "")


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Keep what an earlier run found of the same release, for the checks not run this time."""
    if not new["release"] or any(old.get(name) != new[name] for name in ("release", "size")):
        return new
    fresh = {entry["id"]: entry for entry in new["checks"]}
    kept = [fresh.pop(entry["id"], entry) for entry in old["checks"]]
    return {**new, "checks": [*kept, *fresh.values()]}


def _entry(verdict: Verdict) -> dict[str, object]:
    return {
        "id": verdict.id,
        "outcome": verdict.outcome,
        "figure": verdict.figure,
        "seconds": round(verdict.seconds, 2),
        "reason": verdict.reason,
    }
