"""The contract on Gunicorn with gthread workers."""

from moorings.contract.run import Run
from moorings.contract.suite import record, test_check  # noqa: F401

RUN = Run("gunicorn")
