"""Lines on their way to a log: many at once, as each write to a pipe wakes its reader."""

import contextlib
import os
import select
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator

# What of the log a killed process takes with it.
_EVERY_SECONDS = 0.05


class Writer:
    """Writes whole lines to a descriptor that other processes write to as well."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        # A handler of signals may log while its own thread writes.
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False
        os.register_at_fork(after_in_child=self._forked)

    def later(self, line: bytes) -> None:
        """Write a line within 50 ms, or with the next one that does not wait."""
        self._lines.append(line)
        if self._closed or not self._wake.is_set():
            self._begin()

    def now(self, line: bytes) -> None:
        """Write a line after those that wait."""
        self._lines.append(line)
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            for block in blocks(self._waiting()):
                # There is nobody to tell that the reader of the log has gone.
                with contextlib.suppress(OSError):
                    os.write(self._descriptor, block)

    def _waiting(self) -> Iterator[bytes]:
        with contextlib.suppress(IndexError):
            while True:
                yield self._lines.popleft()

    def close(self) -> None:
        """Write what waits, and each later line at once: the process ends."""
        self._closed = True
        self.flush()

    def _begin(self) -> None:
        if self._closed or not self._running():
            self.flush()
        else:
            self._wake.set()

    def _running(self) -> bool:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                self._closed = True  # Python ends, and starts no thread any more
        return not self._closed

    def _run(self) -> None:
        while True:
            self._wake.wait()
            time.sleep(_EVERY_SECONDS)
            # First: a line that comes after it wakes this thread once more.
            self._wake.clear()
            self.flush()

    def _forked(self) -> None:
        # What waited is the parent's to write, and its thread is not here.
        self._lines, self._thread = deque(), None
        self._lock, self._wake = threading.RLock(), threading.Event()


def blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines as far as one write to a pipe stays whole among those of other processes."""
    block: list[bytes] = []
    size = 0
    for line in lines:
        if block and size + len(line) > select.PIPE_BUF:
            yield b"".join(block)
            block, size = [], 0
        block.append(line)
        size += len(line)
    if block:
        yield b"".join(block)
