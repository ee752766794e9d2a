"""What an app's environment says arrives in its container as it is; what the engine says, here."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.errors import MoorError
from moorings.layout import Layout
from moorings.runner import LocalRunner
from moorings.services.compose import Project, _lines
from moorings.services.engine import Engine

ROOT = Path(__file__).resolve().parents[5]

#: Signs that mean something to a shell, to Compose, or at the end of a line.
VALUES = {
    "BACKSLASHES": "C:\\new\\table\\\\",
    "QUOTES": """it's "quoted" \\' \\" `so`""",
    "VARIABLES": "$a ${b} $$ \\$c",
    "LINES": "one\ntwo\r\n# three\nFOUR=4\\\n",
    "SPACES": " a # b\t",
    "EMPTY": "",
}

#: The client itself, which needs no engine to read its files.
COMPOSE = ["docker", "compose"]
OFFLINE = {**os.environ, "DOCKER_HOST": "unix:///nonexistent"}


def installed() -> bool:
    argv = [*COMPOSE, "version"]
    return bool(shutil.which("docker")) and not subprocess.run(argv, capture_output=True).returncode


def test_signs_of_a_value_are_escaped() -> None:
    assert _lines({"A": "a$b'c\\\""}) == 'A="a\\$b\'c\\\\\\""\n'


@pytest.mark.skipif(not installed(), reason="needs docker with its plug-in compose")
def test_compose_reads_every_value_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "app.env").write_bytes(_lines(VALUES).encode())
    labels = {name: f"${{{name}}}" for name in VALUES}
    app = {"image": "x", "env_file": ["app.env"], "labels": labels}
    (tmp_path / "compose.yaml").write_text(json.dumps({"services": {"app": app}}))
    argv = [*COMPOSE, "--env-file", "app.env", "config", "--format", "json"]
    said = subprocess.check_output(argv, cwd=tmp_path, env=OFFLINE)
    found = json.loads(said)["services"]["app"]
    for read in (found["environment"], found["labels"]):
        # What it prints is a file of Compose once more.
        assert {name: text.replace("$$", "$") for name, text in read.items()} == VALUES


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


@pytest.mark.skipif(not installed(), reason="needs docker with its plug-in compose")
def test_a_sign_that_compose_prints_doubled_is_wanted_as_it_is(tmp_path: Path) -> None:
    layer = tmp_path / "layer.yaml"
    layer.write_text("services: {postgres: {environment: {A: 'b$$c', D: '$$$$'}}}\n")
    layout = Layout(ROOT, tmp_path / "a$b", "x")
    made = Project(Engine(LocalRunner(), layout, OFFLINE), {"HOST": "127.0.0.1"}, [layer])
    made.home.mkdir(parents=True)
    wanted = made.wanted()
    environment = wanted["postgres"]["environment"]
    assert (environment["A"], environment["D"]) == ("b$c", "$$")
    places = [one["source"] for one in wanted["gateway"]["volumes"]]
    assert str(made.flags) in places


def test_no_variable_of_a_shell_is_an_address_of_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(tmp_path, monkeypatch, "")
    shell = {"HOST": "laptop", "PORT": "x", "INNER_PORT": "y"}
    client, home = RecordingRunner(), made.home
    home.mkdir(parents=True)
    Project(Engine(client, made.engine.layout, {**made.engine.env, **shell}), {}).do("down")
    assert client.ran[-1].env is not None
    assert not shell.keys() & client.ran[-1].env.keys()


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
