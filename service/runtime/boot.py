"""How a service that cannot start says so: one line on stderr and status 3, no traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from runtime import settings
from runtime.loader import LoadError
from runtime.settings import SettingError

# Gunicorn's own status for a worker that could not boot: its master stops, and does not try again.
STATUS = 3


def check() -> None:
    """Read the settings before OpenTelemetry reads its own, some of them while it is imported."""
    with errors_in_one_line():
        settings.read()


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Turn a wrong setting or a wrong APP into its one line and SystemExit(3)."""
    try:
        yield
    except (SettingError, LoadError) as error:
        print(f"moorings: {error}", file=sys.stderr, flush=True)
        raise SystemExit(STATUS) from None
