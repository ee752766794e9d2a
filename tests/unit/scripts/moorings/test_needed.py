"""What `make test` gets first: the packages of every column, each once."""

from pathlib import Path

import pytest

from moorings import needed, packages
from moorings.target import Need

ROOT = Path(__file__).resolve().parents[4]


def test_every_column_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find", lambda program: "")
    found = [need for need in needed.missing(ROOT, {}) if "nginx" in need.packages]
    assert [need.what for need in found] == ["nginx is not installed"]


def test_what_the_pages_are_followed_with_is_wanted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find", lambda program: "" if program == "curl" else "/found")
    assert "curl is not installed" in [need.what for need in needed.missing(ROOT, {})]


def test_ci_fails_where_something_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = Need("apache2 is not installed", False, "as root: apt-get install apache2-bin", ())
    monkeypatch.setattr(needed, "missing", lambda root, environ: [lacking])
    monkeypatch.setenv("CI", "true")
    assert needed.main() == 1
    assert "as root: apt-get install apache2-bin" in capsys.readouterr().err
    monkeypatch.delenv("CI")
    assert needed.main() == 0
