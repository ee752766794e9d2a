"""The grid as one HTML page: no script, no other file; figures and reasons open on demand."""

import re
from collections.abc import Iterable
from html import escape

from moorings.contract.grid.style import STYLE
from moorings.contract.grid.table import SIGNS, Cell, Column, Grid

HEAD = f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Moorings: the grid</title>
<style>
{STYLE}</style>
</head>
<body>
<h1>The grid</h1>
<p>What every deployment of <a href="../README.md">Moorings</a> is asked, by
<a href="contract.md">the contract</a>, at full size. Open a cell for its figure and reason, the
name of a column for its machine and commit.</p>
"""

NONE = "<p>No column has been proved yet: <code>make prove</code>.</p>\n"
FOOT = "</body>\n</html>\n"


def render(grid: Grid) -> str:
    """Return the whole page."""
    if not grid.columns:
        return HEAD + NONE + FOOT
    return "".join([HEAD, _legend(grid), _matrix(grid), _explained(grid), FOOT])


def _legend(grid: Grid) -> str:
    items = (
        f'<li class="{_class(outcome)}"><b>{sign} {outcome}</b> {grid.counts[outcome]}, {meaning}'
        for outcome, (sign, meaning) in SIGNS.items()
    )
    return "<ul>\n" + "\n".join(items) + "\n</ul>\n"


def _class(outcome: str) -> str:
    return re.sub(r"\W", "", outcome)


def _matrix(grid: Grid) -> str:
    head = "\n".join(_head(column) for column in grid.columns)
    rows = "\n".join(_row(id, grid.columns) for id in grid.checks)
    table = f'<tr><th scope="col">check</th>\n{head}</tr>\n{rows}\n'
    return f'<div class="wide" tabindex="0"><table>\n{table}</table></div>\n'


def _head(column: Column) -> str:
    changed = f" with changes ({escape(column.release)})" if column.changed else ""
    commit = f"{escape(column.commit[:12] or column.release)}{changed}"
    said = f"{escape(column.day)}, {column.minutes} min, commit {commit}; {escape(column.machine)}"
    # A hyphen is where a narrow screen may break the name.
    name = escape(column.name).replace("-", "-<wbr>")
    return f'<th scope="col">{_opens(name, [said])}</th>'


def _opens(summary: str, paragraphs: Iterable[str]) -> str:
    inner = "".join(f"<p>{text}</p>" for text in paragraphs)
    return f"<details><summary>{summary}</summary>{inner}</details>"


def _row(id: str, columns: Iterable[Column]) -> str:
    cells = "\n".join(_cell(column.cells.get(id)) for column in columns)
    return f'<tr><th scope="row" id="{escape(id)}">{escape(id)}</th>\n{cells}</tr>'


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "<td></td>"
    said = [_linked(text) for text in (cell.figure, cell.reason) if text]
    shown = _opens(cell.sign, [*said, f"{cell.seconds:.1f} s"])
    return f'<td class="{_class(cell.outcome)}">{shown}</td>'


def _linked(text: str) -> str:
    """Escape a text, and make its addresses links: the source of a limit is one."""
    found = re.sub(r"https?://[^\s()<>\"']+", lambda url: f"\0{url[0]}\0", text)
    pieces = found.split("\0")
    return "".join(_link(piece) if at % 2 else escape(piece) for at, piece in enumerate(pieces))


def _link(url: str) -> str:
    return f'<a href="{escape(url)}">{escape(url)}</a>'


def _explained(grid: Grid) -> str:
    found = grid.explained()
    if not found:
        return "<p>No limit, no failure.</p>\n"
    items = (
        f'<li class="{_class(one.outcome)}"><b>{one.sign}</b> {escape(one.id)} on '
        f"{escape(column.name)}: {_linked(one.reason)}"
        for column, one in found
    )
    return "<h2>Limits and failures</h2>\n<ul>\n" + "\n".join(items) + "\n</ul>\n"
