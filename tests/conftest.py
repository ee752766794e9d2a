"""A run that is ended by SIGTERM, as CI ends one, cleans up as it does after Ctrl-C."""

import signal


def pytest_configure() -> None:
    """Let it raise KeyboardInterrupt, after which all that was started is stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
