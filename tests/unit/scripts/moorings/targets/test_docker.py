"""The target of containers, on a client of the engine that only records."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings import deployment, report
from moorings.deployment import Deployment
from moorings.errors import CommandError, MoorError, NeedError
from moorings.runner import Command, DryRunner, Result
from moorings.services.compose import COLOURS
from moorings.target import Leans, Outlived, Release
from moorings.targets.docker import PULL, Docker

ROOT = Path(__file__).resolve().parents[5]

FLAGS = {"deployment.name": "mine", "docker.images": "public", "server.port": 0}

#: What the client says where nobody listens at its socket.
SILENT = "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"


class Client(RecordingRunner):
    """Answers by the first word after `docker`."""

    def __init__(self) -> None:
        super().__init__()
        self.said = {
            "version": Result(0, "20.10.24\n"),
            "compose": Result(0, "Docker Compose version 2.26.1\n"),
            "buildx": Result(0, "github.com/docker/buildx 0.13.1\n"),
            "volume": Result(1, "Error: No such volume\n"),
        }
        self.removed: list[Path] = []

    def remove(self, folder: Path) -> None:
        self.removed.append(folder)
        super().remove(folder)

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        if "up" in command.argv:
            self.up()
        return self.said.get(command.argv[1], Result(0))

    def up(self) -> None:
        """Let all containers run."""
        found = json.loads(self.said["inspect"].output) if "inspect" in self.said else []
        for one in found:
            one["State"]["Running"] = True
        self.said["inspect"] = Result(0, json.dumps(found))

    def silent(self) -> None:
        """Let the engine be one that does not answer."""
        self.said = dict.fromkeys(("ps", "version", "inspect", "image"), Result(1, SILENT))


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return Client()


@pytest.fixture
def made(tmp_path: Path, client: Client) -> Deployment:
    flags = FLAGS | {"deployment.state": str(tmp_path / "state")}
    return deployment.open(ROOT, {}, flags, "docker", client, looks_only=True)


@pytest.fixture
def deployed(made: Deployment) -> Deployment:
    """One of which containers were made, under the flag of its second colour."""
    flags = made.layout.home / "compose" / "flags"
    flags.mkdir(parents=True)
    (flags / "green").touch()
    made.layout.releases.mkdir()
    return made


@pytest.mark.parametrize("verb", ["down", "rollback", "reload"])
def test_a_silent_engine_is_not_one_in_which_nothing_runs(
    deployed: Deployment, client: Client, verb: str
) -> None:
    client.silent()
    with pytest.raises(NeedError, match="no Docker engine runs") as refused:
        getattr(deployed, verb)()
    assert "docker up" in refused.value.hint
    assert client.removed == []
    assert (deployed.layout.home / "compose" / "flags" / "green").exists()


def test_the_status_of_a_silent_engine_is_not_that_the_app_does_not_run(
    deployed: Deployment, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    client.silent()
    with pytest.raises(NeedError, match="no Docker engine runs"):
        report.status(deployed)
    assert "does not run" not in capsys.readouterr().out


def test_where_nothing_was_ever_made_a_silent_engine_has_nothing(
    made: Deployment, client: Client
) -> None:
    client.silent()
    assert made.target.live() is None
    made.down()


#: Debian's client knows mounts and secrets by this plug-in alone; the builder is the engine's own.
BUILDX = ["docker", "buildx", "build", "--builder", "mine", "--load", "--network", "host"]


def test_the_image_is_built_by_buildx_into_the_engine(made: Deployment, client: Client) -> None:
    client.said["context"] = Result(0, "mine\n")
    made.target.build(Release("v1", "c1"))
    assert client.argvs[-1][: len(BUILDX)] == BUILDX


def test_without_a_name_of_the_context_the_builder_is_the_default(
    made: Deployment, client: Client
) -> None:
    client.said["context"] = Result(1, "unknown command")
    made.target.build(Release("v1", "c1"))
    assert client.argvs[-1][3:6] == ["--builder", "default", "--load"]


def container(service: str, **state: object) -> dict[str, object]:
    release = "v1 - 1a" if service in COLOURS else ""
    labels = {"com.docker.compose.service": service, "moorings.release": release}
    return {"Id": f"{service:0<12}", "State": {"Running": False, "Pid": 0, **state},
            "Image": "sha256:x", "RestartCount": 0,
            "Config": {"Labels": labels, "Image": "x", "Cmd": [], "Env": []},
            "HostConfig": {"Memory": 0, "PortBindings": {}},
            "NetworkSettings": {"Networks": {}, "Ports": {}}}  # fmt: skip


def have(client: Client, *found: dict[str, object]) -> None:
    """Let the engine have containers."""
    client.said |= {"ps": Result(0, "1 2\n"), "inspect": Result(0, json.dumps(found))}


def test_what_is_started_again_and_again_runs_on(deployed: Deployment, client: Client) -> None:
    again = container("postgres", Running=True, Restarting=True)
    have(client, container("gateway"), again, container("blue", Running=True))
    assert isinstance(deployed.target, Leans)
    assert deployed.target.beside() == ["postgres"]


def test_an_image_that_the_operator_names_is_taken(
    made: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_IMAGE", "postgres:16.4")
    flags = FLAGS | {"deployment.state": str(made.layout.state)}
    again = deployment.open(ROOT, {}, flags, "docker", made.context.runner, looks_only=True)
    assert isinstance(again.target, Docker)
    again.target.lean()
    file = made.layout.home / "compose" / "compose.env"
    assert 'POSTGRES_IMAGE="postgres:16.4"\n' in file.read_text()


def test_a_database_of_the_settings_is_that_of_the_migration_too(
    made: Deployment, client: Client
) -> None:
    flags = FLAGS | {"deployment.state": str(made.layout.state)}
    flags |= {"app.database_url": "postgresql://u@h/n"}
    told = deployment.open(ROOT, {}, flags, "docker", client, looks_only=True)
    told.target.migrate(told.release(), "python3 -m store.migrate")
    words = ["-T", "--env=DATABASE_URL_FILE=", "migration", "python3", "-m", "store.migrate"]
    assert client.argvs[-1][-6:] == words
    made.target.migrate(made.release(), "python3 -m store.migrate")
    assert client.argvs[-1][-5:-2] == ["-T", "migration", "python3"]


class Version(BaseHTTPRequestHandler):
    """What clients are answered once a release serves."""

    def do_GET(self) -> None:
        body = b'{"release": "v2"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Version) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield str(server.server_port)
        server.shutdown()
        thread.join()


def test_an_old_colour_that_was_not_live_at_first_is_left_to_the_deploy(
    deployed: Deployment, client: Client, port: str
) -> None:
    gateway = container("gateway", Running=False)
    gateway["NetworkSettings"] = {
        "Networks": {},
        "Ports": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": port}]},
    }
    have(client, gateway, container("green", Running=True), container("blue", Running=True))
    assert isinstance(deployed.target, Docker)
    assert isinstance(deployed.target, Outlived)
    deployed.target.gateway.prepare()
    assert deployed.target.live() is None
    deployed.target.switch(Release("v2", ""))
    # A stop that fails in the switch would undo what clients are on.
    assert not [argv for argv in client.argvs if argv[1] in ("stop", "rm")]
    assert deployed.target.outlived() == Release("v1", "", "1a")
    have(client, gateway, container("blue", Running=True))
    assert deployed.target.outlived() is None


def test_a_release_takes_over_while_clients_are_told_of_maintenance(
    deployed: Deployment, client: Client, port: str
) -> None:
    gateway = container("gateway", Running=True)
    # Nobody listens at the first one, as clients are answered nothing of the app's.
    doors = {"8080/tcp": "1", "8081/tcp": port}
    bound = {name: [{"HostIp": "127.0.0.1", "HostPort": at}] for name, at in doors.items()}
    gateway["NetworkSettings"] = {"Networks": {}, "Ports": bound}
    have(client, gateway, container("green", Running=True), container("blue", Running=True))
    assert isinstance(deployed.target, Docker)
    deployed.target.gateway.prepare()
    deployed.target.maintain(on=True)
    deployed.target.switch(Release("v2", ""))


@pytest.mark.parametrize(
    ("runs", "at", "free"),
    [
        (True, "the same", True),
        (True, "1", False),
        (False, "the same", False),
    ],
)
def test_an_address_that_another_holds_is_told_while_the_gateway_still_serves(
    deployed: Deployment, client: Client, port: str, runs: bool, at: str, free: bool
) -> None:
    gateway = container("gateway", Running=runs)
    bound = {"HostIp": "127.0.0.1", "HostPort": port if at == "the same" else at}
    gateway["NetworkSettings"] = {"Networks": {}, "Ports": {"8080/tcp": [bound]}}
    have(client, gateway)
    flags = FLAGS | {"deployment.state": str(deployed.layout.state), "server.port": port}
    made = deployment.open(ROOT, {}, flags, "docker", client, looks_only=True)
    refused = [need.what for need in made.target.needs() if not need.there]
    assert [f"port {port} on 127.0.0.1 is taken" in what for what in refused] == [True] * (not free)


def test_a_unix_socket_is_refused_and_not_ignored(made: Deployment, client: Client) -> None:
    flags = FLAGS | {"deployment.state": str(made.layout.state), "server.socket": "/run/shop"}
    again = deployment.open(ROOT, {}, flags, "docker", client, looks_only=True)
    (refused,) = [need for need in again.target.needs() if not need.there]
    assert "listens on a port alone" in refused.what
    assert refused.how == "leave server.socket empty"


def test_its_own_port_at_one_address_is_not_in_the_way_of_all(
    deployed: Deployment, client: Client, port: str
) -> None:
    gateway = container("gateway", Running=True)
    bound = {"HostIp": "127.0.0.1", "HostPort": port}
    gateway["NetworkSettings"] = {"Networks": {}, "Ports": {"8080/tcp": [bound]}}
    have(client, gateway)
    own = {"deployment.state": str(deployed.layout.state), "server.port": port}
    flags = FLAGS | own | {"server.host": "0.0.0.0"}
    made = deployment.open(ROOT, {}, flags, "docker", client, looks_only=True)
    assert all(need.there for need in made.target.needs())


def test_an_engine_elsewhere_is_refused_before_any_work(made: Deployment, client: Client) -> None:
    client.said["info"] = Result(0, "[name=seccomp,profile=default name=rootless]\n")
    refused = [need for need in made.target.needs() if not need.there]
    assert [need.what.rpartition(": ")[2] for need in refused] == ["it is rootless"]


def test_public_images_have_the_time_to_come(made: Deployment, client: Client) -> None:
    assert isinstance(made.target, Docker)
    made.target.lean()
    made.target.lean()
    pull, up, again = [one for one in client.ran if {"pull", "up"} & set(one.argv)]
    assert pull.argv[-6:] == ("pull", "--policy", "missing", "gateway", "postgres", "jaeger")
    assert pull.timeout == PULL > up.timeout
    assert again.argv == up.argv


def test_a_release_of_another_server_is_not_started_as_one_of_this(made: Deployment) -> None:
    made.target.accepts(Release("v1-gunicorn", ""))
    with pytest.raises(MoorError, match="its server is uwsgi") as other:
        made.target.accepts(Release("v1-1a2b-uwsgi", ""))
    assert other.value.hint == "./moor rollback docker v1-1a2b-uwsgi --server uwsgi"


def test_a_release_of_another_server_is_not_reloaded_as_one_of_this(
    deployed: Deployment, client: Client
) -> None:
    with pytest.raises(MoorError, match="its server is uwsgi") as other:
        deployed.target.reload(Release("v1-1a2b-uwsgi", ""))
    assert other.value.hint == "./moor reload docker --server uwsgi"
    assert not any("up" in argv for argv in client.argvs)


def test_a_stop_leaves_time_for_the_last_spans(deployed: Deployment, client: Client) -> None:
    have(client, container("gateway", Running=True), container("green", Running=True))
    deployed.down()
    # Grace is 30 s; it is nginx's own bound as well, at which it must not be killed.
    stops = [argv[2:4] for argv in client.argvs if argv[1] == "stop"]
    assert stops[0] == ["--time", "36"]
    assert int(stops[1][1]) in (35, 36)


def test_data_that_are_elsewhere_are_told(deployed: Deployment, client: Client) -> None:
    client.said["volume"] = Result(0, '{"device": "/srv/orders"}\n')
    (lacks,) = [need for need in deployed.target.needs() if not need.there]
    assert "/srv/orders" in lacks.what
    # Also where nothing else has changed.
    have(client, container("postgres", Running=True))
    assert isinstance(deployed.target, Docker)
    with pytest.raises(NeedError, match="/srv/orders"):
        deployed.target.renew()


def test_a_printed_build_can_be_repeated_by_hand(made: Deployment, client: Client) -> None:
    made.target.build(Release("v1", "c1"))
    lent = [word.partition("src=")[2] for word in client.argvs[-1] if word.startswith("id=")]
    assert len(lent) >= 3
    assert all(Path(file).is_file() for file in lent)
    own = made.layout.home / "lent"
    assert sum(Path(file).parent == own for file in lent) == 3
    assert own.stat().st_mode & 0o777 == 0o700


def breaks(client: Client, monkeypatch: pytest.MonkeyPatch, word: str, by: BaseException) -> None:
    """Let a command with this word end so."""
    finish = client.finish

    def broken(command: Command) -> Result:
        said = finish(command)
        if word in command.argv:
            raise by
        return said

    monkeypatch.setattr(client, "finish", broken)


@pytest.mark.parametrize("by", [KeyboardInterrupt(), CommandError("did not end within 600 s")])
def test_a_migration_whose_client_is_killed_does_not_run_on(
    made: Deployment, client: Client, monkeypatch: pytest.MonkeyPatch, by: BaseException
) -> None:
    have(client, container("migration", Running=True))
    breaks(client, monkeypatch, "run", by)
    with pytest.raises(type(by)):
        made.target.migrate(Release("v1", ""), "migrate it")
    assert client.argvs[-1] == ["docker", "rm", "--force", "migration000"]


def test_a_migration_that_cannot_be_removed_is_told(
    made: Deployment, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    have(client, container("migration", Running=True))
    breaks(client, monkeypatch, "run", CommandError("no such table"))
    breaks(client, monkeypatch, "rm", CommandError("it hangs"))
    with pytest.raises(CommandError, match="no such table"):
        made.target.migrate(Release("v1", ""), "migrate it")
    assert isinstance(made.target, Leans)
    assert made.target.beside() == ["migration"]


@pytest.mark.usefixtures("foreground")
def test_ctrl_c_waits_until_a_part_is_made_anew(
    deployed: Deployment, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(deployed.target, Docker)
    changed = {"gateway": ["image a -> b"], "jaeger": ["memory"]}
    monkeypatch.setattr(deployed.target, "_changes", lambda: changed)
    finish, done = client.finish, []

    def pressed(command: Command) -> Result:
        if "up" in command.argv:
            os.kill(os.getpid(), signal.SIGINT)
            done.append(command.argv[-1])
        return finish(command)

    monkeypatch.setattr(client, "finish", pressed)
    with pytest.raises(KeyboardInterrupt):
        deployed.target.renew()
    assert done == ["gateway"]


@pytest.mark.parametrize(
    ("state", "asks"),
    [
        ({"Running": True}, ["postgres (image x -> postgres:15)"]),
        ({"Running": True, "Restarting": True}, []),
        ({"Running": False}, []),
    ],
)
def test_a_part_that_cannot_start_is_made_anew_unasked(
    deployed: Deployment, client: Client, state: dict[str, bool], asks: list[str]
) -> None:
    gateway = container("gateway", Running=True)
    bound = {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "1"}]}
    gateway["NetworkSettings"] = {"Networks": {}, "Ports": bound}
    have(client, gateway, container("postgres", **state))
    wanted = {"postgres": {"image": "postgres:15"}}
    client.said["compose"] = Result(0, json.dumps({"services": wanted}))
    assert isinstance(deployed.target, Docker)
    assert deployed.target.interrupts() == asks
    deployed.target.renew()
    (made,) = [argv for argv in client.argvs if "up" in argv]
    assert made[-1] == "postgres"
    assert "--force-recreate" in made


@pytest.mark.parametrize("on", [True, False])
def test_there_is_no_maintenance_of_what_is_not_up(
    made: Deployment, client: Client, on: bool
) -> None:
    with pytest.raises(MoorError, match="no gateway runs"):
        made.maintain(on)
    # As after `down`, which keeps the folder.
    have(client)
    flags = made.layout.home / "compose" / "flags"
    flags.mkdir(parents=True)
    with pytest.raises(MoorError, match="no gateway runs"):
        made.maintain(on)
    assert not (flags / "maintenance").exists()


@pytest.mark.parametrize(
    ("key", "value", "fact"),
    [
        ("server.host", "localhost", "server.host is localhost"),
        ("server.host", "::1", ""),
        ("docker.layers", "pyproject.toml:mine.yaml", f"there is no file {ROOT}/mine.yaml"),
        ("docker.network", "there", ""),
        ("docker.network", "gone", "there is no network gone"),
        ("docker.data", "/", ""),
        ("docker.data", "deploy", "deploy is no folder"),
        ("docker.data", "/nowhere", "/nowhere is no folder"),
        ("docker.data", "/etc/passwd", "/etc/passwd is no folder"),
    ],
)
def test_a_setting_that_names_nothing_is_refused_before_any_work(
    tmp_path: Path,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    value: str,
    fact: str,
) -> None:
    finish = client.finish

    def finished(command: Command) -> Result:
        return Result(1, "No such network") if command.argv[-1] == "gone" else finish(command)

    monkeypatch.setattr(client, "finish", finished)
    flags = FLAGS | {"deployment.state": str(tmp_path / "state"), key: value}
    opened = deployment.open(ROOT, {}, flags, "docker", client, looks_only=True)
    lacks = [need.what for need in opened.target.needs() if not need.there]
    assert len(lacks) == bool(fact)
    assert all(fact in what for what in lacks)


@pytest.mark.parametrize("told", [True, False])
def test_passwords_of_data_that_stay_are_kept(
    deployed: Deployment, client: Client, capsys: pytest.CaptureFixture[str], told: bool
) -> None:
    secrets = deployed.layout.home / "compose" / "secrets"
    secrets.mkdir()
    (secrets / "owner_password").touch()
    (secrets.parent / "blue.env").touch()
    # Either the engine knows where the data are, or the settings alone.
    flags = FLAGS | {"deployment.state": str(deployed.layout.state)}
    if told:
        flags |= {"docker.data": "/srv/orders"}
    else:
        client.said["volume"] = Result(0, '{"device": "/srv/orders"}\n')
    deployment.open(ROOT, {}, flags, "docker", client, looks_only=True).down(volumes=True)
    assert [one for one in deployed.layout.home.rglob("*") if one.is_file()] == [
        secrets / "owner_password"
    ]
    said = " ".join(capsys.readouterr().out.split())
    assert "data stay in /srv/orders" in said


def test_without_such_data_nothing_is_kept(deployed: Deployment) -> None:
    (deployed.layout.home / "compose" / "secrets").mkdir()
    deployed.down(volumes=True)
    assert not deployed.layout.home.exists()


#: A client that writes down what it is told, and knows all containers of a deployment.
DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >> "${0%/*}/told"
case "$1 $2" in
  ps*) echo 1 2 ;;
  inspect*) cat "${0%/*}/containers" ;;
  version*) echo 20.10.24 ;;
  image\\ ls) echo v1 ;;
  volume*) exit 1 ;;
esac
"""


@pytest.fixture
def dry(deployed: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """The same in a dry run, with a client whose answers are those of an engine."""
    folder = tmp_path / "bin"
    (folder / "docker").write_text(DOCKER)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    found = [container(name, Running=True) for name in ("gateway", "green")]
    text = json.dumps(found).replace("v1 - 1a", "v1-gunicorn - 1a")
    (folder / "containers").write_text(text)
    flags = FLAGS | {"deployment.state": str(deployed.layout.state), "server.boot_timeout": 1}
    return deployment.open(ROOT, {}, flags, "docker", DryRunner(), looks_only=True)


def changed(tmp_path: Path) -> list[str]:
    """Return what the client was told to change."""
    told = (tmp_path / "bin" / "told").read_text().splitlines()
    asked = ("ps", "inspect", "version", "image ls", "volume inspect")
    return [line for line in told if not line.startswith(asked)]


def test_a_dry_run_of_down_only_prints(
    dry: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dry.down(volumes=True)
    assert (dry.layout.home / "compose" / "flags" / "green").exists()
    assert changed(tmp_path) == []
    said = " ".join(capsys.readouterr().out.split())
    assert "docker image rm moorings/mine:v1" in said
    assert "compose/flags/green" in said


def test_a_dry_run_of_reload_asks_nobody(dry: Deployment, tmp_path: Path) -> None:
    dry.reload()
    assert changed(tmp_path) == []


def test_a_dry_run_of_a_build_does_not_say_that_it_built(
    dry: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    dry.target.build(Release("v9-gunicorn", ""))
    said = capsys.readouterr().out
    assert "buildx build" in said
    assert "✓" not in said
