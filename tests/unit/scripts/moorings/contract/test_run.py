"""A whole run, black-box against a server that is right or wrong; pytest is started for real."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from moorings.contract import registry
from moorings.contract.run import PARTIAL, ROOT, Run, check, of_target
from moorings.errors import MoorError, NeedError, UsageError
from moorings.packages import Supply

Serve = Callable[..., str]
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
TRACE = b"Traceback (most recent call last)"
LEAKS = b"HTTP/1.1 500 Oh\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"

PROGRAM = """
import sys
from pathlib import Path
from moorings.contract.run import Run, check
sys.exit(check(Run(url=sys.argv[1], only=tuple(sys.argv[3:])), Path(sys.argv[2])))
"""


def moor_check(url: str, reports: Path, *only: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "COLUMNS": "120"}
    argv = [sys.executable, "-W", "error", "-c", PROGRAM, url, str(reports), *only]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60)


def test_a_good_server_passes(serve: Serve, tmp_path: Path) -> None:
    url = serve(MISSING)
    ran = moor_check(url, tmp_path, "secure.debug", "serve.ready")
    assert (ran.returncode, ran.stderr) == (0, "")
    shown = ran.stdout.splitlines()
    assert shown[0].startswith("  n/a   serve.ready        needs the runtime's routes")
    assert shown[1].startswith("  pass  secure.debug       0 of 4 answer")
    report = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert report["column"] == "url-" + url.removeprefix("http://").replace(":", "-")
    assert [entry["outcome"] for entry in report["checks"]] == ["n/a", "pass"]


def test_a_bad_one_shows_the_exchange_and_how_to_repeat(serve: Serve, tmp_path: Path) -> None:
    url = serve(LEAKS % (len(TRACE), TRACE))
    ran = moor_check(url, tmp_path, "secure.debug")
    assert ran.returncode == 1
    assert "secure.debug: /_probe/counters shows a stack trace or a debugger" in ran.stdout
    assert f"> GET {url}/_probe/counters" in ran.stdout
    assert f"Repeat: ./moor check --url {url} --only secure.debug" in ran.stdout
    suite = ElementTree.parse(next(tmp_path.glob("*.xml"))).getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")


def test_what_the_machine_lacks_is_said_once_and_no_report_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.setattr(Supply, "__call__", lambda self, need: False)
    with pytest.raises(NeedError):
        check(Run("docker", {"docker.server": "gunicorn"}, full=True), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_check_has_an_outcome_on_anything(serve: Serve, tmp_path: Path) -> None:
    ran = moor_check(serve(MISSING), tmp_path)
    assert ran.returncode == 0, ran.stdout
    report = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert [entry["id"] for entry in report["checks"]] == [str(one) for one in registry.load()]
    assert all(entry["outcome"] in ("pass", "n/a") for entry in report["checks"])


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/", "http://"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match="should be http://HOST"):
        Run(url=url).column()


def test_nobody_at_the_url() -> None:
    with pytest.raises(MoorError, match="cannot be reached"):
        Run(url="http://127.0.0.1:1").column()


def test_an_unknown_id_starts_nothing() -> None:
    with pytest.raises(UsageError, match=r"did you mean serve\.ready"):
        Run("gunicorn", only=("serve.redy",)).checks()


def test_how_to_repeat_a_check() -> None:
    assert Run("gunicorn").repeat("a.b") == "./moor check gunicorn --only a.b"
    sync = Run("gunicorn", {"gunicorn.worker": "sync"})
    assert sync.repeat("a.b") == "./moor check gunicorn --set gunicorn.worker=sync --only a.b"
    assert Run("gunicorn", quick=True).repeat("a.b") == "./moor check gunicorn --quick --only a.b"
    seen = Run(url="http://h", jaeger="http://j").repeat("a.b")
    assert seen == "./moor check --url http://h --jaeger http://j --only a.b"


def test_ci_runs_all_on_the_first_column_and_the_core_on_the_others() -> None:
    first, *others = of_target("gunicorn")
    assert len(first.checks()) == len(registry.load())
    assert [str(one) for one in others] == [
        *("gunicorn-sync", "gunicorn-gevent", "gunicorn-asgi"),
        *("gunicorn-gthread-nginx", "gunicorn-sync-nginx"),
    ]
    for one in others:
        assert {"serve.http", "drain.running", "trace.ledger"} <= {
            check.id for check in one.checks()
        }
        assert "secure.user" not in {check.id for check in one.checks()}


def test_ci_may_run_the_core_alone() -> None:
    assert [one.only for one in of_target("apache", *PARTIAL)] == [PARTIAL]
