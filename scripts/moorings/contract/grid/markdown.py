"""The grid as Markdown: a table, what is not simply passed, and the figures of each column."""

from collections.abc import Iterable

from moorings.contract.grid.table import SIGNS, Cell, Column, Grid

HEAD = """\
# The grid

Made by `make grid` from the reports in `docs/grid`, which `make prove` writes: the whole contract
at full size, on each column. What a check proves is in [contract.md](contract.md); the same as a
page of its own is [grid.html](grid.html).
"""

NONE = "No column has been proved yet: `make prove`.\n"


def render(grid: Grid) -> str:
    """Return the whole page."""
    if not grid.columns:
        return f"{HEAD}\n{NONE}"
    parts = [HEAD, _matrix(grid), _meanings(), _explained(grid), _runs(grid), *_figures(grid)]
    return "\n".join(parts)


def _row(cells: Iterable[str]) -> str:
    escaped = (" ".join(cell.replace("|", "\\|").replace("<", "&lt;").split()) for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, rows)]
    return "\n".join(lines) + "\n"


def _matrix(grid: Grid) -> str:
    def outcome(column: Column, id: str) -> str:
        return column.cells[id].sign if id in column.cells else ""

    rows = ([f"`{id}`", *(outcome(one, id) for one in grid.columns)] for id in grid.checks)
    return _table(["check", *(one.name for one in grid.columns)], rows)


def _meanings() -> str:
    said = (f"{sign} `{outcome}`: {meaning}" for outcome, (sign, meaning) in SIGNS.items())
    return f"{'; '.join(said)}; empty: the check is younger than the report.\n"


def _explained(grid: Grid) -> str:
    found = grid.explained()
    if not found:
        return "No limit, no failure.\n"
    rows = ([f"`{one.id}`", column.name, one.sign, one.reason] for column, one in found)
    return "## Limits and failures\n\n" + _table(["check", "column", "outcome", "cause"], rows)


def _runs(grid: Grid) -> str:
    head = ["column", "day", "commit", "minutes", "machine"]
    rows = ([one.name, one.day, _commit(one), str(one.minutes), one.machine]
            for one in grid.columns)  # fmt: skip
    return "## Runs\n\n" + _table(head, rows)


def _commit(column: Column) -> str:
    more = f" with changes ({column.release})" if column.changed else ""
    return f"{column.commit[:12] or column.release}{more}"


def _figures(grid: Grid) -> Iterable[str]:
    yield "## Figures\n"
    for column in grid.columns:
        rows = (_figure(cell) for cell in column.cells.values())
        table = _table(["check", "outcome", "figure", "seconds"], rows)
        yield f"<details><summary>{column.name}</summary>\n\n{table}\n</details>\n"


def _figure(cell: Cell) -> list[str]:
    return [f"`{cell.id}`", cell.sign, cell.figure or cell.reason, f"{cell.seconds:.1f}"]
