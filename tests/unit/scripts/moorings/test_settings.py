"""moor.toml, then the environment, then a flag; an error names the key and its origin."""

import itertools
import tomllib
from pathlib import Path

import pytest

from moorings import settings, targets
from moorings.errors import SettingsError

ROOT = Path(__file__).resolve().parents[4]


def load(tmp_path: Path, toml: str = "", environ=None, flags=None) -> settings.Settings:
    (tmp_path / "moor.toml").write_text(toml)
    return settings.load(tmp_path, environ or {}, flags or {}, targets.sections())


def test_the_later_wins(tmp_path: Path) -> None:
    toml = "[server]\nworkers = 3\nthreads = 5\nport = 1"
    environ = {"MOOR_SERVER_WORKERS": "6", "MOOR_SERVER_THREADS": "7"}
    made = load(tmp_path, toml, environ, {"server.workers": "8"}).server
    assert (made.workers, made.threads, made.port) == (8, 7, 1)


def test_an_empty_variable_is_an_unset_one(tmp_path: Path) -> None:
    assert load(tmp_path, environ={"MOOR_SERVER_WORKERS": ""}).server.workers == 0


def test_auto_is_the_default_of_what_is_found_out(tmp_path: Path) -> None:
    assert load(tmp_path, "[server]\nworkers = 'auto'").server.workers == 0


def test_a_standard_variable_means_its_setting(tmp_path: Path) -> None:
    environ = {"JAEGER_URL": "http://127.0.0.1:1", "OTEL_SERVICE_NAME": "shop"}
    made = load(tmp_path, environ=environ)
    assert (made.jaeger.url, made.otel) == ("http://127.0.0.1:1", {"OTEL_SERVICE_NAME": "shop"})


@pytest.mark.parametrize(
    ("toml", "environ", "flags", "says"),
    [
        ("[server]\nwokers = 1", {}, {}, "server.wokers: no such setting; did you mean"),
        ("[server]\nworkers = 'two'", {}, {}, "server.workers: should be a whole number"),
        ("[server]\ntimeout = 30", {}, {}, "server.deadline: should be less than server.timeout"),
        ("[server]\nprobe = 'maybe'", {}, {}, "server.probe: should be true or false"),
        ("[server]\nlog_format = 'xml'", {}, {}, "should be one of json, text"),
        ("", {"OTEL_TRACES_EXPORTER": "otlp,jager"}, {}, "not 'jager'; did you mean jaeger?"),
        ("workers = 1", {}, {}, "workers: should be a section"),
        ("[server", {}, {}, "moor.toml: "),
        ("", {"MOOR_SERVER_THREADS": "0"}, {}, "should be 1 or more, not '0'"),
        ("", {"MOOR_SERVER_WORKERS": "0"}, {}, "should be 1 or more, or auto, not '0'"),
        ("", {"MOOR_SERVER_WORKERS": "abc"}, {}, "or WORKERS of make"),
        ("", {"MOOR_SERVER_PORT": "70000"}, {}, "should be 65535 or less"),
        ("", {"MOOR_SERVER_WORKER": "1"}, {}, "did you mean MOOR_SERVER_WORKERS?"),
        ("", {}, {"server.nope": "1"}, "server.nope: no such setting"),
        ("", {}, {"gunicorn.worker": "eventlet"}, "removed from Gunicorn 26; use gevent (from a"),
        ("", {}, {"gunicorn.worker": "eventlett"}, "gunicorn.worker: should be one of"),
    ],
)
def test_a_wrong_one_is_named(tmp_path: Path, toml, environ, flags, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, toml, environ, flags)
    assert says in caught.value.fact


def test_moor_toml_holds_every_setting_and_no_other() -> None:
    tables = tomllib.loads((ROOT / "moor.toml").read_text())
    written = [f"{section}.{key}" for section, table in tables.items() for key in table]
    assert written == [key for key, _ in settings.describe(targets.sections())]


def test_moor_toml_explains_every_setting() -> None:
    lines = (ROOT / "moor.toml").read_text().splitlines()
    group = "_port"  # ports are explained together
    bare = [
        line
        for before, line in itertools.pairwise(lines)
        if " = " in line and not line.startswith("#") and not before.startswith("#")
    ]
    assert [line for line in bare if group not in line] == []
