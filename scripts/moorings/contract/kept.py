"""The reports of docs/grid: one a column, of a run at full size, committed with the code."""

import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from moorings.contract import registry

ROOT = Path(__file__).resolve().parents[3]
GRID = ROOT / "docs" / "grid"

#: Where things lie on this machine is nobody else's business, and differs on the next one.
PLACES = (ROOT, Path(tempfile.gettempdir()), Path("/var/lib/moorings"), Path.home())

Report = Mapping[str, Any]


def read(file: Path) -> Report:
    """Return a report; nothing where there is none, or no readable one."""
    try:
        found = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def of(column: str, folder: Path = GRID) -> Report:
    """Return the report of a column."""
    return read(folder / f"{column}.json")


def write(report: Report, folder: Path = GRID) -> None:
    """Replace a column's report in one step: a stop leaves the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{report['column']}.json"
    fresh = file.with_suffix(".new")
    fresh.write_text(unplaced(json.dumps(report, indent=2, ensure_ascii=False)) + "\n")
    fresh.replace(file)


def unplaced(text: str, places: Iterable[Path] = PLACES) -> str:
    """Return a text without the folders of this machine; what lies in them is still named."""
    for place in (str(one) for one in places if one != one.parent):
        text = text.replace(f"{place}/", "")
    return text


def whole(report: Report) -> bool:
    """Tell whether it has each check that there is, at full size."""
    has = {entry["id"] for entry in report.get("checks", ())}
    return report.get("size") == "full" and has == {str(one) for one in registry.load()}


def red(report: Report) -> list[str]:
    """Return the checks that failed, or that could not be asked."""
    return [one["id"] for one in report["checks"] if one["outcome"] in ("fail", "skip")]
