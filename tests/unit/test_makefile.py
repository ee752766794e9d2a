"""What `make` makes of the statuses that the command ends with, and that each verb is run."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("ended", "fine"), [(0, True), (3, True), (1, False), (2, False)])
def test_status_fails_only_where_it_could_not_look(tmp_path: Path, ended: int, fine: bool) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "moor").write_text(f"#!/bin/sh\nexit {ended}\n")
    (tmp_path / "moor").chmod(0o755)
    ran = subprocess.run(
        ["make", "-C", str(tmp_path), "status"], capture_output=True, text=True, timeout=30
    )
    assert (ran.returncode == 0) is fine
    assert ("***" in ran.stderr) is not fine


def test_every_verb_is_run_whatever_files_there_are() -> None:
    """`docs` and `deploy` are folders too: make would call such a verb up to date."""
    text = (ROOT / "Makefile").read_text()
    verbs = set(re.findall(r"^([\w-]+):.*## ", text, re.MULTILINE))
    phony = set(text.replace("\\\n", " ").partition(".PHONY:")[2].split())
    assert "docs" in verbs
    assert verbs - phony == set()
    assert {"$(TARGETS:%=deploy-%)", "$(TARGETS:%=check-%)"} <= phony
