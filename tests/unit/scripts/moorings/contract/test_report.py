"""The report that the grid reads, and the lines that a person reads."""

import io
import json
from pathlib import Path

from rich.console import Console

from moorings.contract.column import Column
from moorings.contract.outcome import Verdict
from moorings.contract.report import Record, line
from moorings.contract.size import Size
from moorings.target import Release

VERDICTS = [
    Verdict("fake.one", "pass", "0 failed of 3", 1.234),
    Verdict("fake.two", "n/a", reason="needs [a] Jaeger"),
    Verdict("fake.three", "fail", reason="1 failed of 3", seconds=2.0, details="not in the report"),
]


def record() -> Record:
    column = Column("gunicorn-fake", "gunicorn", Size.CI)
    return Record(column, "2026-01-02T03:04:05+00:00", list(VERDICTS))


def test_the_report_has_exactly_its_fields(tmp_path: Path) -> None:
    file = record().write(tmp_path / "reports")
    assert file.name == "gunicorn-fake.json"
    report = json.loads(file.read_text())
    assert report.pop("machine")["cores"] >= 1
    assert report == {
        "column": "gunicorn-fake",
        "target": "gunicorn",
        "release": "",
        "commit": "",
        "size": "ci",
        "started": "2026-01-02T03:04:05+00:00",
        "checks": [
            {"id": "fake.one", "outcome": "pass", "figure": "0 failed of 3", "seconds": 1.23,
             "reason": ""},
            {"id": "fake.two", "outcome": "n/a", "figure": "", "seconds": 0.0,
             "reason": "needs [a] Jaeger"},
            {"id": "fake.three", "outcome": "fail", "figure": "", "seconds": 2.0,
             "reason": "1 failed of 3"},
        ],
    }  # fmt: skip


class Deployed(Column):
    """A column that knows its release."""

    release = Release("r1", "c1")


def test_a_part_of_the_checks_replaces_only_its_own(tmp_path: Path) -> None:
    whole = [Verdict("fake.one", "pass", "1"), Verdict("fake.two", "fail", reason="no")]
    Record(Deployed("fake"), "then", whole).write(tmp_path)
    again = [Verdict("fake.two", "pass", "2"), Verdict("fake.three", "pass", "3")]
    file = Record(Deployed("fake"), "now", again).write(tmp_path)
    report = json.loads(file.read_text())
    assert report["started"] == "now"
    assert [(one["id"], one["figure"]) for one in report["checks"]] == [
        ("fake.one", "1"), ("fake.two", "2"), ("fake.three", "3"),
    ]  # fmt: skip


def test_another_release_keeps_nothing_of_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "fake.json").write_text('{"release": "r0", "size": "ci", "checks": [1]}')
    file = Record(Deployed("fake"), "now", [Verdict("fake.one", "pass", "1")]).write(tmp_path)
    assert [one["id"] for one in json.loads(file.read_text())["checks"]] == ["fake.one"]


def test_a_quick_look_is_a_file_of_its_own() -> None:
    assert Record(Column("gunicorn-fake", "gunicorn", Size.QUICK)).name == "gunicorn-fake-quick"
    assert Record(Column("url-host", "", Size.QUICK)).name == "url-host"


def test_the_start_is_a_moment_in_utc() -> None:
    assert Record(Column("fake")).started.endswith("+00:00")


def test_the_table_shows_figure_or_reason() -> None:
    shown = io.StringIO()
    Console(file=shown, width=100).print(record().table())
    lines = shown.getvalue().splitlines()
    assert lines[2].split() == ["fake.one", "pass", "0", "failed", "of", "3", "1.2"]
    assert "needs [a] Jaeger" in lines[3]
    assert "1 failed of 3" in lines[4]


def test_a_line_is_plain_without_a_terminal() -> None:
    assert line(VERDICTS[0]).plain == "  pass  fake.one           0 failed of 3 (1.2 s)"
    assert line(VERDICTS[2]).plain == "  fail  fake.three         1 failed of 3 (2.0 s)"
