"""The contract on Gunicorn."""

from dataclasses import replace

from moorings.contract.run import of_target
from moorings.contract.suite import pytest_generate_tests, records, test_check  # noqa: F401

FIRST, SYNC, GEVENT, ASGI, NGINX, _ = of_target("gunicorn")

# The rest behind nginx, and sync workers there, take longer than CI has; `make prove` has them.
# The sums cost half a minute, and outages more: they are asked where nothing of threads is as in
# the first column.
RUNS = (
    FIRST,
    replace(SYNC, only=(*SYNC.only, "logs.json")),
    replace(GEVENT, only=(*GEVENT.only, "logs.json", "metrics.sum", "trace.outage")),
    replace(ASGI, only=(*ASGI.only, "logs.json", "metrics.sum", "metrics.queue")),
    replace(NGINX, only=("serve", "trace.ledger", "logs.json")),
)
