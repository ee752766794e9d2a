"""A command in the background that can be waited for, and called off together with its children."""

import os
import signal
from collections.abc import Callable

import psutil

from moorings import probe
from moorings.errors import CommandError, NotReadyError

#: Seconds that a command gets to clean up after itself when it is called off.
GRACE = 5.0


class Child:
    """A command that `Runner.start` started: it leads a process group of its own."""

    def __init__(self, pid: int) -> None:
        """Take the process id that the runner gave."""
        self.process = psutil.Process(pid)

    def result(self, timeout: float, called_off: Callable[[], bool]) -> int:
        """Return the status, negative for a signal; whatever goes wrong, nothing of it stays.

        :param timeout: seconds.
        :raises CommandError: where it was called off, or did not end in time.
        """
        try:
            return probe.until(
                lambda: self._ended(called_off), what="it to end", timeout=timeout, every=0.2
            )
        except NotReadyError:
            raise CommandError(f"it did not end within {timeout:.0f} s") from None
        finally:
            self._end()

    def _ended(self, called_off: Callable[[], bool]) -> int | None:
        if called_off():
            raise CommandError("it was called off")
        return self._status(0)

    def _status(self, timeout: float) -> int | None:
        try:
            return int(self.process.wait(timeout) or 0)
        except psutil.TimeoutExpired:
            return None

    def _end(self) -> None:
        # SIGINT first: on it `go` and `pip` remove their temporary files.
        for number in (signal.SIGINT, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return
            self._status(GRACE)
