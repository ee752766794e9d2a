"""Releases of a checkout that goes on: rollback, its refusal, and what fails on the way."""

import re
import shutil
from pathlib import Path

import httpx
import pytest
from tests.journeys.conftest import ROOT, Operator

MIGRATION = """
from alembic import op

revision = {revision!r}
down_revision = {down!r}
expand = {expand}

def upgrade():
    op.execute("CREATE TABLE later_{revision} (id INTEGER)")
"""


@pytest.fixture
def checkout(operator: Operator, tmp_path: Path) -> Path:
    """A clone that the test may change, with the environment of this one."""
    clone = tmp_path / "clone"
    for name in ("service", "deploy", "scripts"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("moor", "moor.toml"):
        shutil.copy(ROOT / name, clone / name)
    (clone / ".venv").symlink_to(ROOT / ".venv")
    operator.root = operator.folder = clone
    # The drain is not what these tests are about.
    operator.env = {"MOOR_SERVER_KEEP_ALIVE": "1"}
    return clone


def add_migration(checkout: Path, revision: str, down: str, expand: bool) -> None:
    text = MIGRATION.format(revision=revision, down=down, expand=expand)
    (checkout / "service/store/migrations/versions" / f"{revision}_later.py").write_text(text)


def succeeds(operator: Operator, *argv: str) -> str:
    done = operator.types(*argv)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def deployed(operator: Operator) -> str:
    """Deploy, and return the version that serves then."""
    found = re.search(r"release (\S+) serves", succeeds(operator, "deploy"))
    assert found
    return found[1]


def serving(operator: Operator) -> str:
    found = re.search(r"release (\S+) at (http://\S+)", succeeds(operator, "status"))
    assert found
    version = httpx.get(f"{found[2]}/version", trust_env=False).json()["release"]
    assert version == found[1]
    return str(version)


def states(operator: Operator) -> dict[str, str]:
    lines = succeeds(operator, "releases").splitlines()[1:]
    return {line.split()[0]: line.split()[-1] for line in lines}


def test_a_rollback_over_what_only_adds_and_not_over_more(
    operator: Operator, checkout: Path
) -> None:
    first = deployed(operator)
    add_migration(checkout, "0003", down="0002", expand=True)
    second = deployed(operator)
    succeeds(operator, "rollback")
    assert serving(operator) == first
    assert states(operator) == {first: "live", second: "kept"}

    add_migration(checkout, "0004", down="0003", expand=False)
    third = deployed(operator)
    running = operator.processes()
    refused = operator.types("rollback")
    assert refused.returncode == 1
    said = "the schema is past this release by 0004, not declared expand"
    assert f"release {first} refuses: {said}" in refused.stderr
    assert f"release {third} was not touched and serves on" in refused.stderr
    assert operator.processes() == running
    assert serving(operator) == third

    (checkout / "service/store/other.py").write_text("# a change without a migration\n")
    fourth = deployed(operator)
    succeeds(operator, "rollback", third[:8])
    assert serving(operator) == third
    assert states(operator) == {third: "live", fourth: "kept", first: "kept", second: "kept"}
