"""The contract on uWSGI."""

from moorings.contract.run import PARTIAL, of_target
from moorings.contract.suite import pytest_generate_tests, records, test_check  # noqa: F401

# All of it, and by HTTP too, takes longer than CI has; `./moor check uwsgi` runs it.
RUNS = of_target("uwsgi", *PARTIAL, "logs.json", "metrics.sum", "metrics.queue", "recycle")[:1]
