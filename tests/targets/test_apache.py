"""The contract on Apache."""

from moorings.contract.run import PARTIAL, of_target
from moorings.contract.suite import pytest_generate_tests, records, test_check  # noqa: F401

# All of it takes longer than CI has; `./moor check apache` runs it.
RUNS = of_target("apache", *PARTIAL, "logs.json", "metrics.sum", "metrics.queue")
