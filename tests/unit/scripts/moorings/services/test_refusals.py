"""What stands in the way is told in one message, on lines that an engine has said."""

import pytest

from moorings.errors import CommandError
from moorings.services.refusals import explained

FACT = "`docker compose up` ended with status 1"

SAID = [
    (
        "ERROR: failed to solve: failed to copy files: write /var/lib/x: no space left on device",
        "the disk of the Docker engine is full",
        "docker system df",
    ),
    (
        "Error response from daemon: driver failed programming external connectivity on endpoint "
        "x-gateway-1 (5e7): Bind for 127.0.0.1:8000 failed: port is already allocated",
        "127.0.0.1:8000 is taken",
        "another port",
    ),
    (
        "Error starting userland proxy: listen tcp4 127.0.0.1:8000: bind: address already in use",
        "127.0.0.1:8000 is taken",
        "another port",
    ),
    ("exec /usr/local/bin/python3: exec format error", "another architecture", "Architecture"),
    (
        "FATAL:  database files are incompatible with server\nDETAIL:  The data directory was "
        "initialized by PostgreSQL version 16, which is not compatible with this version 15.14.",
        "the volume is of PostgreSQL 16, the image is PostgreSQL 15",
        "POSTGRES_IMAGE",
    ),
    (
        'psycopg.OperationalError: FATAL:  password authentication failed for user "owner"',
        "other passwords",
        "put the folder back",
    ),
    ("Error response from daemon: network 1f0c not found", "network 1f0c is gone", "moor down"),
    (
        "network observabilty declared as external, but could not be found",
        "there is no network observabilty",
        "docker network ls",
    ),
]


@pytest.mark.parametrize(("said", "fact", "step"), SAID)
def test_the_fact_and_the_next_step(said: str, fact: str, step: str) -> None:
    for told in (
        explained(CommandError(FACT, log=said)),
        explained(CommandError(FACT, log="dependency failed to start"), said),
    ):
        assert fact in told.fact
        assert step in told.hint


def test_what_is_not_known_is_told_with_what_the_containers_said() -> None:
    told = explained(CommandError(FACT, log="postgres exited (1)", hint="then"), "odd")
    assert (told.fact, told.hint, told.log) == (FACT, "then", "postgres exited (1)\nodd")


def test_what_the_client_names_is_no_older_line_of_a_container() -> None:
    (old, _, _), (now, fact, _) = SAID[4], SAID[6]
    assert fact in explained(CommandError(FACT, log=now), old).fact
