"""Releases of a checkout that goes on: rollback, its refusal, and what fails on the way."""

import os
import re
import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import IO

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


def stopped_at(operator: Operator, mark: str) -> tuple[int, str]:
    """Deploy, press Ctrl-C when a line with this mark appears; return status and output."""
    with subprocess.Popen(
        [str(operator.root / "moor"), "deploy"],
        env=operator.environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # As a terminal gives it: what runs in the background inherits SIGINT ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        seen = list(iter(partial(_line_until, process.stdout, mark), ""))
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=60)[0]
    return process.returncode, "".join(seen) + rest


def _line_until(stream: IO[str], mark: str) -> str:
    line = stream.readline()
    assert line, f"no line with {mark!r} came"
    return "" if mark in line else line


def test_ctrl_c_at_any_point_leaves_the_old_release(operator: Operator, checkout: Path) -> None:
    first = deployed(operator)
    running, folders = operator.processes(), built(operator)
    (checkout / "service/store/other.py").write_text("# a change\n")
    for mark in ("Release ", "python -m store.migrate", "bin/gunicorn", "Switching"):
        status, output = stopped_at(operator, mark)
        assert (status, "Traceback" in output) == (130, False), f"{mark}: {output}"
        assert operator.processes() == running, mark
        assert built(operator) == folders, mark
        assert serving(operator) == first, mark

    status, output = stopped_at(operator, "Announcing the drain")
    assert status == 130
    assert "had taken over; the old one gets no new requests" in output
    assert serving(operator) != first


def built(operator: Operator) -> set[str]:
    """Return the folders of releases, half-made ones too."""
    state = re.search(r"state +(\S+)", succeeds(operator, "status"))
    assert state
    return {one.name for one in (Path(state[1]) / "releases").iterdir()}


def test_a_failed_release_is_listed_and_gone(operator: Operator, checkout: Path) -> None:
    first = deployed(operator)
    app = checkout / "service/store/app.py"
    good = app.read_text()
    app.write_text(f"import not_there\n{good}")
    failed = operator.types("deploy")
    assert failed.returncode == 1
    assert "No module named 'not_there'" in failed.stderr
    assert f"release {first} was not touched and serves on" in failed.stderr
    assert sorted(states(operator).values()) == ["failed", "live"]
    assert built(operator) == {first}

    missing = operator.types("rollback", "nothing")
    assert missing.returncode == 1
    assert "no release nothing is kept" in missing.stderr


def test_a_state_folder_that_is_removed_is_told(operator: Operator, checkout: Path) -> None:
    deployed(operator)
    state = re.search(r"state +(\S+)", succeeds(operator, "status"))
    assert state
    shutil.rmtree(state[1])
    told = operator.types("status")
    assert told.returncode == 3
    assert "run, but their state is gone: ./moor down gunicorn" in told.stderr
    refused = operator.types("deploy")
    assert refused.returncode == 1
    assert "the app runs, but its state is gone" in refused.stderr
    succeeds(operator, "down")
    assert operator.processes() == set()
    deployed(operator)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_full_disk_is_one_message(operator: Operator, checkout: Path, tmp_path: Path) -> None:
    first = deployed(operator)
    folders = built(operator)
    state = re.search(r"state +(\S+)", succeeds(operator, "status"))
    assert state
    place = f"{state[1]}/releases"
    (checkout / "service/store/other.py").write_text("# a change\n")
    # Over the folder of the releases: what runs has its files open, and lies below the mount.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], check=True)
    try:
        full = operator.types("deploy")
        assert full.returncode == 1
        assert "No space left on device" in full.stderr
        assert f"free some space on that disk, then try again; release {first}" in full.stderr
        assert built(operator) == set()
    finally:
        subprocess.run(["umount", place], check=True)
    assert built(operator) == folders
    assert serving(operator) == first
