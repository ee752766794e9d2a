"""compose.yaml by hand: its secrets, and what a checkout and an app of yours have of their own."""

import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
import yaml
from sqlalchemy.pool import QueuePool

from moorings.services.compose import COLOURS, CPUS
from store.db import make_engine

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "deploy" / "docker" / "secrets.sh"

FILE = ROOT / "deploy" / "docker" / "compose.yaml"
SERVICES: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]
SERVER = "${SERVER:-gunicorn}"

URLS = {"migration_url": "owner", "database_url": "app"}


def make(folder: Path) -> dict[str, str]:
    subprocess.run([str(SCRIPT), str(folder)], timeout=10, check=True)
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_they_are_made_once(tmp_path: Path) -> None:
    made = make(tmp_path / "secrets")
    assert len(set(made.values())) == len(made) == 6
    assert make(tmp_path / "secrets") == made


def test_nobody_else_may_look_into_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "the secrets"
    make(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    # Users of containers read the files themselves, each mounted by itself.
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o444}


def test_a_url_has_the_password_of_its_role(tmp_path: Path) -> None:
    made = make(tmp_path)
    for name, role in URLS.items():
        assert f"//{role}:{made[f'{role}_password']}@postgres/" in made[name]


def test_one_that_is_lost_is_made_anew(tmp_path: Path) -> None:
    made = make(tmp_path)
    (tmp_path / "secret_key").unlink()
    again = make(tmp_path)
    assert again.pop("secret_key") != made.pop("secret_key")
    assert again == made


def by_hand(folder: Path, env: str) -> list[str]:
    """Run it beside compose.yaml, over what is there; return the lines of .env."""
    folder.mkdir(exist_ok=True)
    shutil.copy(SCRIPT, folder)
    (folder / ".env").write_text(env)
    subprocess.run([str(folder / SCRIPT.name)], timeout=10, check=True)
    return (folder / ".env").read_text().splitlines()


def test_lines_of_yours_stay_beside_the_name_of_the_project(tmp_path: Path) -> None:
    port, name = by_hand(tmp_path, "PORT=8010")
    assert port == "PORT=8010"
    assert name.startswith("COMPOSE_PROJECT_NAME=moorings-by-hand-")
    assert by_hand(tmp_path, f"{port}\n{name}\n") == [port, name]


def test_a_copy_of_a_checkout_has_a_name_of_its_own_and_one_of_yours_stays(tmp_path: Path) -> None:
    (name,) = by_hand(tmp_path / "a", "")
    (other,) = by_hand(tmp_path / "b", f"{name}\n")
    assert other.startswith("COMPOSE_PROJECT_NAME=moorings-by-hand-")
    assert other != name
    assert by_hand(tmp_path / "b", "COMPOSE_PROJECT_NAME=shop\n") == ["COMPOSE_PROJECT_NAME=shop"]


@pytest.mark.parametrize("service", ["blue", "green", "migration"])
def test_two_checkouts_have_images_of_their_own_by_hand(service: str) -> None:
    variable = f"{service.upper()}_IMAGE"
    image = SERVICES[service]["image"]
    assert image == f"${{{variable}:-${{COMPOSE_PROJECT_NAME:-moorings-by-hand}}:{SERVER}}}"


@pytest.mark.parametrize("service", ["blue", "migration"])
def test_an_app_of_yours_is_built_by_hand_under_its_release(service: str) -> None:
    assert SERVICES[service]["build"]["args"] == {
        "APP_DIR": "${APP_DIR:-service/store}",
        "RELEASE": "${RELEASE:-unreleased}",
        "COMMIT": "${COMMIT:-}",
    }


def test_an_app_of_yours_has_migrations_of_its_own_by_hand() -> None:
    assert SERVICES["migration"]["command"] == "${MIGRATE:-python3 -m store.migrate}"


def test_a_gateway_that_does_not_listen_is_not_healthy() -> None:
    _, *words = SERVICES["gateway"]["healthcheck"]["test"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        ask = [word.replace("/8081", f"/{server.getsockname()[1]}") for word in words]
        assert subprocess.run(ask, timeout=5, check=False).returncode == 0
    assert subprocess.run(ask, timeout=5, check=False, stderr=subprocess.DEVNULL).returncode != 0


class Readiness(BaseHTTPRequestHandler):
    """The app's, or that of one that is not ready."""

    status = 200

    def do_GET(self) -> None:
        assert self.path == "/readyz"
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Answer on a port."""
    handler = type("Ready", (Readiness,), {"status": status})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def health(port: int) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, str(ROOT / "deploy" / "docker" / "healthcheck.py")]
    env = {"PORT": str(port)}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=10, check=False)


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_an_app_is_healthy_where_it_is_ready(status: int, healthy: bool) -> None:
    with answering(status) as port:
        done = health(port)
    assert (done.returncode == 0) is healthy
    assert done.stdout.startswith(str(status))


def test_an_app_that_does_not_answer_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = health(port)
    assert done.returncode == 1
    assert done.stderr.startswith("no answer: ")


def test_the_pools_of_both_colours_fit_what_the_role_of_the_app_may_have() -> None:
    roles = (ROOT / "deploy" / "parts" / "postgres" / "roles.sql").read_text()
    (limit,) = map(int, re.findall(r"ROLE app LOGIN CONNECTION LIMIT (\d+)", roles))
    pool = make_engine(sqlalchemy.make_url("postgresql+psycopg://app@postgres/shop")).pool
    assert isinstance(pool, QueuePool)
    most = pool.size() + pool._max_overflow
    # As many workers as CPUs, in each of the two; PostgreSQL has 100 for all roles.
    assert len(COLOURS) * CPUS * most <= limit < 100
