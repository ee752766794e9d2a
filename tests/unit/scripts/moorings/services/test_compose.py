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
from moorings.services.compose import FILES, Project, _lines
from moorings.services.compose_drift import _binds
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


@pytest.mark.skipif(not installed(), reason="needs docker with its plug-in compose")
def test_a_path_with_a_colon_is_one_path(tmp_path: Path) -> None:
    checkout, layout = tmp_path / "a:b", Layout(tmp_path / "a:b", tmp_path / "c:d", "x")
    shutil.copytree(ROOT / "deploy", checkout / "deploy")
    layer = checkout / FILES / "compose.jaeger-badger.yaml"
    made = Project(Engine(LocalRunner(), layout, OFFLINE), {}, [layer])
    made.home.mkdir(parents=True)
    wanted = made.wanted()
    assert _binds(wanted["gateway"]) == {
        (str(made.gateway.parent), "/etc/gateway"),
        (str(made.gateway), "/etc/gateway/local.conf"),
        (str(made.flags), "/flags"),
    }
    parts = str(checkout / "deploy" / "parts")
    assert _binds(wanted["jaeger"]) == {
        (f"{parts}/jaeger/jaeger.yaml", "/etc/jaeger.yaml"),
        (f"{parts}/jaeger/badger.yaml", "/etc/badger.yaml"),
    }
    roles = "/docker-entrypoint-initdb.d/roles.sql"
    assert _binds(wanted["postgres"]) == {(f"{parts}/postgres/roles.sql", roles)}


def test_files_that_others_may_not_read_are_copied(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "deploy", checkout / "deploy")
    roles = checkout / "deploy" / "parts" / "postgres" / "roles.sql"
    roles.chmod(0o600)
    client = RecordingRunner()
    made = Project(Engine(client, Layout(checkout, tmp_path / "state", "x"), {}), {})
    made.prepare()
    made.do("up")
    given = dict(line.split("=") for line in (made.home / "compose.env").read_text().splitlines())
    copy = Path(given["POSTGRES_FILES"].strip('"'), roles.name)
    assert copy.is_relative_to(made.home)
    assert copy.read_text() == roles.read_text()
    assert copy.stat().st_mode & 0o444 == 0o444
    # Those of others that are readable stay where they are, and so do their containers.
    assert given["JAEGER_CONFIG"] == f'"{checkout}/deploy/parts/jaeger"'


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
