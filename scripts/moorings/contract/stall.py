"""How long the machine itself keeps everybody waiting: what no deployment can be blamed for."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Seconds between two looks.
EVERY = 0.02


class Stall:
    """The longest time by which a look came late."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin to look when `look` is called first."""
        self._clock = clock
        self._last: float | None = None
        self.longest = 0.0

    def look(self) -> None:
        """Note how late this look is."""
        now = self._clock()
        if self._last is not None:
            self.longest = max(self.longest, now - self._last - EVERY)
        self._last = now


@contextmanager
def watched() -> Iterator[Stall]:
    """Look for the length of a block, in a thread that does nothing else."""
    stall, over = Stall(), threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            stall.look()

    thread = threading.Thread(target=watch, name="stall", daemon=True)
    thread.start()
    try:
        yield stall
    finally:
        over.set()
        thread.join()
