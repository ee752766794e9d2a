"""The pages of the grid: what they show of any reports, and that the committed ones are made."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import pytest

from moorings.contract import kept
from moorings.contract.grid import markdown, page, table
from moorings.contract.grid.command import PAGES
from moorings.contract.grid.table import SIGNS, Column, Grid
from moorings.contract.outcome import Outcome

SOURCE = "https://example.com/issues/1"


def entry(id: str, outcome: str = "pass", figure: str = "", reason: str = "") -> dict[str, Any]:
    return {"id": id, "outcome": outcome, "figure": figure, "seconds": 30.0, "reason": reason}


def report(column: str, *checks: dict[str, Any], **other: Any) -> dict[str, Any]:
    machine = {
        "cores": 2, "cpu": "Some CPU", "memory_gib": 24, "kernel": "6.1", "python": "3.11.2",
        "servers": {"fake-server": "1.2"},
    }  # fmt: skip
    named = {"release": "0123456789ab", "commit": "0123456789abcdef", "target": "fake"}
    return {
        "column": column, "size": "full", "started": "2026-01-02T03:04:05+00:00",
        "machine": machine, "checks": list(checks), **named, **other,
    }  # fmt: skip


@pytest.fixture
def grid(tmp_path: Path) -> Grid:
    limit = entry("b.two", "limit", "3 failed of 9", f"a <queue> | is lost ({SOURCE})")
    reports = [
        report("fake+gate", entry("a.one", figure="0 failed of 9"), entry("c.three", "n/a")),
        report("fake", entry("a.one"), limit, entry("c.three", "fail", reason="no"),
               release="0123456789ab-beef"),
    ]  # fmt: skip
    for one in reports:
        (tmp_path / f"{one['column']}.json").write_text(json.dumps(one))
    return table.load(tmp_path)


def rows(text: str, head: str) -> list[list[str]]:
    """Return the rows of the Markdown table that begins with this heading."""
    lines = text[text.index(f"| {head} |") :].split("\n\n")[0].splitlines()
    return [re.split(r" (?<!\\)\| ", line.strip("| ")) for line in lines]


def test_a_column_for_each_report_and_a_row_for_each_check(grid: Grid) -> None:
    assert [column.name for column in grid.columns] == ["fake", "fake+gate"]
    assert grid.checks == ["a.one", "b.two", "c.three"]
    assert rows(markdown.render(grid), "check")[2:] == [
        ["`a.one`", "✓ pass", "✓ pass"],
        ["`b.two`", "◑ limit"],
        ["`c.three`", "✗ fail", "○ n/a"],
    ]


def test_a_limit_has_its_cause_and_source(grid: Grid) -> None:
    assert rows(markdown.render(grid).split("## Limits")[1], "check")[2:] == [
        ["`b.two`", "fake", "◑ limit", f"a &lt;queue> \\| is lost ({SOURCE})"],
        ["`c.three`", "fake", "✗ fail", "no"],
    ]
    shown = page.render(grid)
    assert f'a &lt;queue&gt; | is lost (<a href="{SOURCE}">{SOURCE}</a>)' in shown


def test_a_run_has_day_commit_and_machine(grid: Grid) -> None:
    machine = "2 cores of Some CPU, 24 GiB, Linux 6.1, Python 3.11.2, fake-server 1.2"
    found = rows(markdown.render(grid), "column | day")[2:]
    changed = "0123456789ab with changes (0123456789ab-beef)"
    assert found[0] == ["fake", "2026-01-02", changed, "2", machine]
    assert found[1][:3] == ["fake+gate", "2026-01-02", "0123456789ab"]
    assert page.render(grid).count(machine) == 2


@pytest.mark.parametrize("render", [markdown.render, page.render])
def test_figures_are_there(render: Callable[[Grid], str], grid: Grid) -> None:
    assert "3 failed of 9" in render(grid)


@pytest.mark.parametrize("render", PAGES.values(), ids=PAGES)
def test_without_reports_the_page_says_so(render: Callable[[Grid], str]) -> None:
    assert "No column has been proved yet" in render(Grid(()))


class Tags(HTMLParser):
    """Keeps which elements are open, and which were ever opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.addresses += [str(value) for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "wbr", "li"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()


def test_the_page_is_whole_and_needs_no_other(grid: Grid) -> None:
    tags = Tags()
    tags.feed(page.render(grid).replace("<!doctype html>", ""))
    assert tags.open == []
    assert "details" in tags.seen
    assert tags.seen.isdisjoint({"script", "link", "img", "iframe", "queue"})
    assert set(tags.addresses) == {"../README.md", "contract.md", SOURCE}


def test_every_outcome_has_a_sign_of_its_own() -> None:
    assert set(SIGNS) == set(get_args(Outcome))
    assert len({sign for sign, _ in SIGNS.values()}) == len(SIGNS)


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_the_one_that_is_made(name: str) -> None:
    file = kept.GRID.parent / name
    assert file.read_text() == PAGES[name](table.load()), f"make grid writes docs/{name}"
    assert file.stat().st_size < 300_000


def test_the_committed_reports_can_be_trusted() -> None:
    for file in kept.GRID.glob("*.json"):
        found = kept.read(file)
        assert (found["column"], found["size"]) == (file.stem, "full")
        assert {one["outcome"] for one in found["checks"]} <= set(SIGNS)
        # Where PostgreSQL has its data in a container is no path of a machine.
        text = file.read_text().replace("/var/lib/postgresql/data", "")
        assert not re.findall(r"/(?:root|home|tmp|Users|var)/", text), file


@pytest.mark.parametrize(
    ("release", "changed"),
    [("0123456789ab", False), ("0123456789ab-beef", True), ("0123456789ab-uwsgi", False),
     ("0123456789ab-beef-uwsgi", True)],
)  # fmt: skip
def test_the_server_of_an_image_is_no_change(release: str, changed: bool) -> None:
    assert Column("docker-uwsgi", release, "0123456789abcdef", "", "").changed is changed
