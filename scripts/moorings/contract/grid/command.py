"""The verb `moor grid`."""

from collections.abc import Callable, Mapping

import click

from moorings import ui
from moorings.contract import kept
from moorings.contract.grid import markdown, page, table
from moorings.contract.grid.table import Grid

#: Each page by its file beside the folder of the reports.
PAGES: Mapping[str, Callable[[Grid], str]] = {"grid.md": markdown.render, "grid.html": page.render}


@click.command()
def grid() -> None:
    """Make docs/grid.md and docs/grid.html from the reports of docs/grid.

    \b
    Example:
      moor grid
    """
    found = table.load()
    for name, render in PAGES.items():
        (kept.GRID.parent / name).write_text(render(found))
        ui.good(f"docs/{name}: {len(found.columns)} columns, {len(found.checks)} checks")
