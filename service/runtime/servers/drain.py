"""How a server learns that it is to be retired: the file that DRAIN_FILE names appears.

While it is there, answers go out with `Connection: close`, so that clients move to the next server
by themselves, before anything closes a connection that they could still write to.
"""

import functools
import os
import time

# Looking takes 2 us, which busy workers need not spend on every answer.
_FRESH_SECONDS = 0.05


class Drain:
    """Whether `file` exists, or this process ends by itself; the answer is 50 ms old at most."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._until = float("-inf")
        self._found = self._begun = False

    def begin(self) -> None:
        """Announce the end of this process alone."""
        self._begun = True

    def announced(self) -> bool:
        """Return whether answers should say that their connection closes."""
        if self._begun or not self._file:
            return self._begun
        now = time.monotonic()
        if now >= self._until:
            self._found = os.path.exists(self._file)
            self._until = now + _FRESH_SECONDS
        return self._found


@functools.cache
def drain() -> Drain:
    """Return this process's drain, of the DRAIN_FILE that its server was started with."""
    return Drain(os.environ.get("DRAIN_FILE", ""))
