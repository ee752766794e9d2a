"""Lines on their way to a log: many at once, as each write to a pipe wakes its reader."""

import contextlib
import logging
import os
import select
import threading
import time
from collections import deque

# What of the log a killed process takes with it.
_EVERY_SECONDS = 0.05
# For how long a request waits where nobody reads the log, and for how long its own thread and the
# process's end do. What is not read by then stays, up to so many lines; those beyond are counted.
_PATIENCE, _LONG = 0.1, 1.0
_ROOM = 10_000
_log = logging.getLogger("runtime.writer")


class Writer:
    """Writes whole lines to a descriptor that other processes write to as well."""

    def __init__(self, descriptor: int, room: int = _ROOM) -> None:
        self._descriptor = descriptor
        self._room = room
        self._lines: deque[bytes] = deque()
        # What has been begun to be written: a pipe that somebody made non-blocking takes parts.
        self._rest = b""
        self._busy = self._stalled = False
        self._lost = 0
        # A handler of signals may log while its own thread writes.
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False
        os.register_at_fork(after_in_child=self._forked)

    def later(self, line: bytes) -> None:
        """Write a line within 50 ms, or with the next one that does not wait."""
        if len(self._lines) >= self._room:
            self._lost += 1
            return
        self._lines.append(line)
        if self._closed or not self._wake.is_set():
            self._begin()

    def now(self, line: bytes) -> None:
        """Write a line after those that wait."""
        if len(self._lines) >= self._room:
            self._lost += 1
            return
        self._lines.append(line)
        # Where nobody has read for a while, no request waits any more.
        if not self.flush(0 if self._stalled else _PATIENCE):
            self._begin()

    def flush(self, seconds: float = _PATIENCE) -> bool:
        """Write what waits within so many seconds; tell whether nothing of it is left."""
        until = time.monotonic() + seconds
        if not self._lock.acquire(timeout=seconds):
            return False
        try:
            # Where this is a handler of signals, what it has interrupted writes on.
            while (self._rest or self._lines) and not self._busy and self._write(until):
                pass
        finally:
            self._lock.release()
        if self._lost and not self._stalled:
            self._say()
        return not self._rest

    def _write(self, until: float) -> bool:
        """Write one block, or what can be written of it in time."""
        self._busy = True
        try:
            self._rest = self._rest or block(self._lines)
            while self._rest and self._is_read(until):
                with contextlib.suppress(BlockingIOError):
                    self._rest = self._rest[os.write(self._descriptor, self._rest) :]
            self._stalled = bool(self._rest)
        except (OSError, ValueError):
            # There is nobody to tell that the reader of the log has gone, or that its disk is full.
            self._lost += self._rest.count(b"\n")
            self._rest, self._stalled = b"", True
        finally:
            self._busy = False
        return not self._rest

    def _is_read(self, until: float) -> bool:
        left = max(0, until - time.monotonic())
        return bool(select.select([], [self._descriptor], [], left)[1])

    def _say(self) -> None:
        lost, self._lost = self._lost, 0
        _log.warning("%d lines of the log were lost: nobody read it, or it could not grow", lost)

    def close(self) -> None:
        """Write what waits, and each later line at once: the process ends."""
        self._closed = True
        self.flush(_LONG)

    def _begin(self) -> None:
        if self._closed or not self._running():
            self.flush(0 if self._stalled else _PATIENCE)
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
            if not self.flush(_LONG):
                self._wake.set()

    def _forked(self) -> None:
        # What waited is the parent's to write, and its thread is not here.
        self._lines, self._thread = deque(), None
        self._rest, self._busy, self._stalled, self._lost = b"", False, False, 0
        self._lock, self._wake = threading.RLock(), threading.Event()


def block(lines: deque[bytes]) -> bytes:
    """Take as many lines as one write to a pipe keeps whole among those of other processes."""
    taken = [lines.popleft()]
    size = len(taken[0])
    while lines and size + len(lines[0]) <= select.PIPE_BUF:
        size += len(lines[0])
        taken.append(lines.popleft())
    return b"".join(taken)
