"""The files of deploy/apache as Apache reads them, and what they name."""

import json
import os
import re
import shutil
import subprocess
from http import HTTPStatus
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parents[3] / "deploy" / "apache"
PROGRAM = Path("/usr/sbin/apache2")
MODULES = Path("/usr/lib/apache2/modules")
there = pytest.mark.skipif(
    not (PROGRAM.exists() and (MODULES / "mod_wsgi.so").exists()), reason="Apache is not installed"
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(FILES, tmp_path / "apache"))


def check(conf: Path, environ: dict[str, str], *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "-f", conf, "-t", *more], env=environ, capture_output=True, text=True, timeout=30
    )


def defaults(files: Path) -> dict[str, str]:
    """Return the environment as a person makes it by hand."""
    given = {"PATH": os.environ["PATH"], "FILES": str(files), "RUN_DIR": str(files)}
    script = f'set -a; . "{files}/httpd.env"; env -0'
    said = subprocess.run(
        ["sh", "-c", script], env=given, capture_output=True, text=True, timeout=30, check=True
    )
    return dict(line.split("=", 1) for line in said.stdout.split("\0") if line)


@there
def test_apache_takes_its_own_configuration_with_the_defaults(files: Path) -> None:
    found = check(files / "httpd.conf", defaults(files))
    assert (found.stdout + found.stderr).strip() == "Syntax OK"


@there
def test_its_own_status_has_an_address_of_its_own(files: Path) -> None:
    found = check(files / "httpd.conf", defaults(files), "-D", "STATUS")
    assert (found.stdout + found.stderr).strip() == "Syntax OK"


@there
def test_each_variable_has_a_default(files: Path) -> None:
    """A name without a value stays in the configuration as it is written."""
    text = (files / "httpd.conf").read_text() + (files / "common.conf").read_text()
    named = set(re.findall(r"\$\{(\w+)\}", text))
    assert named <= set(defaults(files))


@there
def test_a_mistake_is_named_with_its_line(files: Path) -> None:
    conf = files / "httpd.conf"
    number = len(conf.read_text().splitlines()) + 1
    conf.write_text(conf.read_text() + "Lisen 8000\n")
    found = check(conf, defaults(files))
    assert found.returncode != 0
    assert f"line {number} of {conf}" in found.stderr
    assert "Lisen" in found.stderr


@there
def test_the_site_fits_into_an_apache_that_is_there(files: Path) -> None:
    slots = (files / "slots.conf").read_text().replace("/srv/moorings/deploy/apache", str(files))
    (files / "slots.conf").write_text(slots.replace("/srv/shop", str(files)))
    (files / "live.txt").write_text("slot blue\n")
    names = ("mpm_event", "authz_core", "authz_host", "alias", "headers", "mime", "rewrite", "wsgi")
    lines = [f'LoadModule {name}_module "{MODULES}/mod_{name}.so"' for name in names]
    conf = files / "apache2.conf"
    rest = [
        "ServerName localhost",
        "ErrorLog error.log",
        f'DefaultRuntimeDir "{files}"',
        "TypesConfig /dev/null",
    ]
    rest += [f'Include "{files}/slots.conf"', f'Include "{files}/site.conf"']
    conf.write_text("\n".join([f'ServerRoot "{files}"', *lines, *rest]) + "\n")
    found = check(conf, {})
    assert (found.stdout + found.stderr).strip() == "Syntax OK"


def test_each_error_document_is_a_problem_of_its_status() -> None:
    named = re.findall(
        r"^ErrorDocument (\d+) /\.problems/(.*)$", (FILES / "common.conf").read_text(), re.M
    )
    assert {name for _, name in named} == {one.name for one in (FILES / "problems").iterdir()}
    for status, name in named:
        problem = json.loads((FILES / "problems" / name).read_text())
        assert problem["status"] == HTTPStatus(int(status)) == int(status)
        assert problem["title"]
