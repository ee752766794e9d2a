"""The contract on Gunicorn."""

from dataclasses import replace

from moorings.contract.run import of_target
from moorings.contract.suite import pytest_generate_tests, records, test_check  # noqa: F401

*WORKERS, NGINX, _ = of_target("gunicorn")

# The rest behind nginx, and sync workers there, take longer than CI has; `make prove` has them.
RUNS = (*WORKERS, replace(NGINX, only=("serve", "trace.ledger")))
