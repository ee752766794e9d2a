"""Which locks the environment of a release is made from."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from moorings.errors import NeedError
from moorings.layout import Layout
from moorings.releases import HostReleases
from moorings.settings import Jaeger, Settings
from moorings.target import Context, Release

ROOT = Path(__file__).resolve().parents[4]
LOCKS = ROOT / "service" / "requirements"


def installed(runner, root: Path, exporter: str) -> list[str]:  # type: ignore[no-untyped-def]
    """Build a release; return the names of the lock files that pip was given."""
    settings = Settings(root, jaeger=replace(Jaeger(), exporter=exporter))
    layout = Layout(root, runner.home, "mine")
    releases = HostReleases(Context(settings, runner, layout, None), "gunicorn")
    releases.environment(Release("v1", ""))
    pip = next(argv for argv in runner.argvs if "--require-hashes" in argv)
    return [Path(word).stem for word in pip if word.endswith(".txt")]


@pytest.fixture
def at_home(runner, tmp_path: Path):  # type: ignore[no-untyped-def]
    runner.dry, runner.home = True, tmp_path / "state"
    return runner


def test_the_jaeger_exporter_has_a_lock_of_its_own(at_home) -> None:  # type: ignore[no-untyped-def]
    assert installed(at_home, ROOT, "") == ["base", "runtime", "gunicorn"]
    at_home.ran.clear()
    assert installed(at_home, ROOT, "otlp,jaeger") == ["base", "legacy-jaeger", "gunicorn"]


def test_a_release_without_that_lock_says_what_to_do(at_home, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(NeedError, match=r"legacy-jaeger\.txt") as raised:
        installed(at_home, tmp_path, "jaeger")
    assert "TRACES_EXPORTER=otlp" in raised.value.hint


def pinned(name: str) -> dict[str, str]:
    text = (LOCKS / name).read_text()
    return dict(re.findall(r"^([\w.-]+)(?:\[\w+\])?==([\w.]+)", text, re.MULTILINE))


def test_both_runtimes_have_the_same_packages_beside_opentelemetry() -> None:
    only_legacy = {"Deprecated", "opentelemetry-exporter-jaeger-thrift"}
    new, legacy = pinned("runtime.in"), pinned("legacy-jaeger.in")
    assert legacy.keys() - new.keys() == only_legacy
    assert new.keys() <= legacy.keys()
    others = [name for name in new if not name.startswith("opentelemetry-")]
    assert [legacy[name] for name in others] == [new[name] for name in others]


@pytest.mark.parametrize("beside", ["base", "gunicorn", "uwsgi", "apache"])
def test_locks_that_are_installed_together_agree(beside: str) -> None:
    one = pinned(f"{beside}.txt")
    for runtime in map(pinned, ("runtime.txt", "legacy-jaeger.txt")):
        shared = one.keys() & runtime.keys()
        assert [one[name] for name in shared] == [runtime[name] for name in shared]
