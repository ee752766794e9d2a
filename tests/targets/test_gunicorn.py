"""The contract on Gunicorn."""

from moorings.contract.run import of_target
from moorings.contract.suite import pytest_generate_tests, records, test_check  # noqa: F401

# Sync workers behind nginx take longer than CI has; `make prove` has them.
RUNS = of_target("gunicorn")[:-1]
