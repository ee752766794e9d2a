"""The contract on Docker Compose."""

import pytest

from moorings.contract.run import of_target
from moorings.contract.suite import pytest_generate_tests, records, test_check  # noqa: F401

# All of it on each server takes longer than CI has; `./moor check docker` runs it.
RUNS = of_target("docker", whole=False)[:1]

pytestmark = pytest.mark.usefixtures("docker")
