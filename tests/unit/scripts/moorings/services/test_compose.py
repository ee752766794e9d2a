"""What an app's environment says arrives in its container as it is; what the engine says, here."""

from pathlib import Path

import pytest

from moorings.errors import MoorError
from moorings.layout import Layout
from moorings.runner import LocalRunner
from moorings.services.compose import Project, _quoted
from moorings.services.engine import Engine


def test_no_sign_of_a_value_is_read_as_a_variable() -> None:
    assert _quoted("a$b'c\\") == "'a$b\\'c\\\\'"


#: A client that warns, and knows two containers of which one goes while it is asked.
CLIENT = """#!/bin/sh
echo 'WARNING: Error loading config file: permission denied' >&2
case $1 in
  ps) echo 1a; echo 2b ;;
  inspect) echo '[{"Id": "1a"}]'; echo '%s' >&2; exit 1 ;;
  version) echo 20.10.24 ;;
esac
"""


def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: str) -> Project:
    client = tmp_path / "docker"
    client.write_text(CLIENT % refusal)
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    return Project(Engine(LocalRunner(), Layout(tmp_path, tmp_path, "x"), env), {})


def test_a_warning_of_the_client_hides_no_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = project(tmp_path, monkeypatch, "Error: No such object: 2b").containers()
    assert [one.id for one in found] == ["1a"]


def test_what_the_engine_refuses_to_tell_is_not_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MoorError, match="does not answer `docker inspect`") as refused:
        project(tmp_path, monkeypatch, "Error response from daemon: i/o timeout").containers()
    assert "i/o timeout" in refused.value.log
