"""What a person does with containers, and what is in the way, on an engine that runs."""

import os
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.journeys.conftest import ROOT, Operator

from moorings import deployment, probe
from moorings.errors import CommandError
from moorings.services.compose import Project
from moorings.services.engine import Engine
from moorings.targets.docker import Docker

#: Where PostgreSQL's volume is, by compose.yaml.
PLACE = "/var/lib/postgresql/data"

#: Seconds within which a first start has begun.
BEGUN = 60.0


def target(operator: Operator) -> Docker:
    """Return the deployment of an operator, past the command."""
    flags = {"deployment.name": operator.name, "server.port": 0}
    made = deployment.open(ROOT, os.environ, flags, "docker").target
    assert isinstance(made, Docker)
    return made


def containers(project: Project) -> dict[str, str]:
    return {one.service: one.id for one in project.containers() if one.runs}


@pytest.fixture
def on_docker(docker: Engine, operator: Operator) -> Iterator[Operator]:
    """Somebody whose target is docker, and whose Jaeger keeps its traces on disk."""
    operator.env = {"MOOR_JAEGER_STORAGE": "badger"}
    yield operator
    done = operator.types("down", "docker", "--volumes")
    assert done.returncode == 0, done.stderr
    assert target(operator).data() == []


def test_the_first_command_on_containers(on_docker: Operator) -> None:
    assert "✓ Docker engine" in succeeds(on_docker.types("docker", "up"))
    first = succeeds(on_docker.makes("deploy-local", "TARGET=docker"))
    assert re.search(r"placed order \S+ for \d+\.\d\d EUR", first)
    tree = first[first.index("trace ") :]
    assert re.search(r"store  POST /api/orders  201", tree)
    assert re.search(r"[├└]─ store  postgresql: INSERT INTO orders", tree)
    project = target(on_docker).project
    running = containers(project)
    assert running.keys() == {"gateway", project.live, "postgres", "jaeger"}

    # Another container of Jaeger: its volume has the traces.
    project.stop("jaeger", 10)
    project.remove("jaeger")
    again = succeeds(on_docker.makes("deploy-local", "TARGET=docker"))
    assert "runs already; nothing to do" in again
    found = containers(project)
    assert found.pop("jaeger") != running.pop("jaeger")
    assert found == running
    trace_id = re.search(r"trace ([0-9a-f]{32})", tree)
    assert trace_id
    assert "POST /api/orders" in on_docker.types("trace", trace_id[1]).stdout

    # Half of it is gone, by another's hand: a deploy brings it back, with what was ordered.
    for service in ("gateway", project.live):
        project.remove(service)
    assert "the app does not run" in on_docker.makes("status", "TARGET=docker").stdout
    assert "serves" in succeeds(on_docker.makes("deploy-docker"))
    assert containers(project).keys() == {"gateway", project.live, "postgres", "jaeger"}
    assert target(on_docker).database().rows("SELECT count(*) FROM orders") == [["2"]]

    # Another colour takes over behind a gateway that is shut.
    succeeds(on_docker.types("maintenance", "on", "docker"))
    succeeds(on_docker.types("reload", "docker", MOOR_SERVER_LOG_LEVEL="warning"))
    succeeds(on_docker.types("maintenance", "off", "docker"))

    succeeds(on_docker.makes("down", "TARGET=docker"))
    assert project.containers() == []
    assert target(on_docker).data() != []


def succeeds(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_first_start_of_postgres_that_was_interrupted_begins_anew(on_docker: Operator) -> None:
    made = target(on_docker)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(made.bring_up, "postgres")
        begun = probe.until(lambda: at_its_first_start(made), what="initdb", timeout=BEGUN)
        made.engine.do("kill", begun, timeout=10)
        with pytest.raises(CommandError, match=r"docker compose .* up "):
            first.result()
    assert volume(made, "ls", PLACE).split() == ["pgdata.new"]
    made.bring_up("postgres")
    assert made.database().rows("SELECT 1") == [["1"]]
    assert volume(made, "ls", PLACE).split() == ["pgdata"]
    passwords_are_asked_for(made)


def passwords_are_asked_for(made: Docker) -> None:
    """See that each role has one, kept as SCRAM, and that none comes by the network without it."""
    found = made.project.find("postgres")
    assert found is not None
    kept = "SELECT rolname, split_part(rolpassword, '$', 1) FROM pg_authid WHERE rolcanlogin"
    said = made.engine.do("exec", found.id, "psql", "-Atc", kept, "shop", timeout=10).output
    roles = {"postgres", "owner", "app"}
    assert set(said.split()) == {f"{role}|SCRAM-SHA-256" for role in roles}
    for role in roles:
        by = f"postgresql://{role}:no@127.0.0.1/shop"
        tried = made.engine.ask("exec", found.id, "psql", "-c", "SELECT 1", by, both=True)
        assert tried.status != 0
        assert "password authentication failed" in tried.output


def at_its_first_start(made: Docker) -> str | None:
    """Return the container that makes its database now."""
    found = made.project.find("postgres")
    if found is None or not found.runs:
        return None
    said = made.engine.ask("exec", found.id, "test", "-s", f"{PLACE}/pgdata.new/PG_VERSION")
    return found.id if said.status == 0 else None


def volume(made: Docker, *words: str) -> str:
    """Run a program of PostgreSQL's image on its volume; return what it says."""
    found = made.project.find("postgres")
    assert found is not None
    mount = f"{made.project.name}_orders:{PLACE}"
    argv = ("run", "--rm", "--volume", mount, "--entrypoint", words[0], found.image, *words[1:])
    return made.engine.do(*argv, timeout=30).output


def test_what_is_in_the_way_of_postgres_is_told_with_the_next_step(on_docker: Operator) -> None:
    made = target(on_docker)
    made.bring_up("postgres")
    made.project.stop("postgres", 60)
    version = f"{PLACE}/pgdata/PG_VERSION"
    old = volume(made, "cat", version).strip()
    volume(made, "sh", "-c", f"echo 99 > {version}")
    with pytest.raises(CommandError) as newer:
        made.bring_up("postgres")
    assert newer.value.fact == f"the volume is of PostgreSQL 99, the image is PostgreSQL {old}"
    assert "an image of that version" in newer.value.hint
    made.project.stop("postgres", 60)
    volume(made, "sh", "-c", f"echo {old} > {version}")

    made.engine.do("network", "rm", f"{made.project.name}_back", timeout=30)
    with pytest.raises(CommandError, match=r"the network \S+ is gone") as gone:
        made.bring_up("postgres")
    assert gone.value.hint.startswith("./moor down docker")
    made.down()
    made.bring_up("postgres")
    assert made.database().rows("SELECT 1") == [["1"]]


def test_a_published_port_that_is_taken_is_told_before_any_work(on_docker: Operator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = on_docker.types("deploy", "docker", MOOR_SERVER_PORT=str(port))
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is taken by" in done.stderr
    assert "Next:  stop it, or choose another port: PORT=" in done.stderr
    assert target(on_docker).project.containers() == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can hide the plug-ins of the client")
def test_a_plug_in_that_is_missing_is_told_before_any_work(on_docker: Operator) -> None:
    engine = target(on_docker).engine
    said = engine.ask("info", "--format", "{{range .ClientInfo.Plugins}}{{println .Path}}{{end}}")
    folders = {str(Path(line).parent) for line in said.output.split()}
    hides = [f"mount -t tmpfs none {shlex.quote(folder)}" for folder in folders]
    deploys = f"exec {shlex.quote(str(ROOT / 'moor'))} deploy docker"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-euc", "; ".join([*hides, deploys])],
        # Nothing is installed unasked where it is not CI.
        env=on_docker.environ(CI=""),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "the plug-in compose of docker is missing" in done.stderr
    assert "Next:  ./moor docker up" in done.stderr
