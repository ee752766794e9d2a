"""The contract on Docker Compose."""

from dataclasses import replace

import pytest

from moorings.contract.run import of_target
from moorings.contract.suite import pytest_generate_tests, records, test_check  # noqa: F401

ASKED = (
    "serve", "drain", "deploy.broken", "deploy.load", "deploy.lock", "down.clean", "trace.ledger",
    "trace.arrives", "trace.edges", "trace.errors", "trace.stream", "logs.json", "metrics.sum",
    "metrics.queue", "crash.worker", "secure", "data", "deploy.renewed",
)  # fmt: skip

#: What of a container depends on the server in it.
OF_A_SERVER = (
    "serve.ready", "serve.http", "trace.ledger", "metrics.sum",
    "secure.user", "secure.readonly", "secure.caps",
)  # fmt: skip

FIRST, *OTHERS = of_target("docker", *ASKED)

# All of it, on each server, takes longer than CI has; `make prove` has it.
RUNS = (FIRST, *(replace(one, only=OF_A_SERVER) for one in OTHERS))

pytestmark = pytest.mark.usefixtures("docker")
