"""The contract on Docker Compose."""

import pytest

from moorings.contract.run import PARTIAL, of_target
from moorings.contract.suite import pytest_generate_tests, records, test_check  # noqa: F401

SECURE = (
    "secure.user", "secure.readonly", "secure.caps", "secure.published", "secure.secrets",
)  # fmt: skip

# All of it on each server takes longer than CI has; `./moor check docker` runs it.
RUNS = of_target("docker", *PARTIAL, *SECURE, "data")[:1]

pytestmark = pytest.mark.usefixtures("docker")
