"""Requests that run over REQUEST_DEADLINE are cut: answered 504, or reset in mid-answer.

A thread of its own watches, as what hangs cannot look at a clock. It can end what the client and
the span see; the request's thread it can only ask to stop, so the process may have to be replaced.
"""

import ctypes
import functools
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from runtime import settings

_LOOK_SECONDS = 0.1
# What a request that was cut may take to leave before its thread counts as lost.
_LEAVE_SECONDS = 0.5
_RESET = struct.pack("ii", 1, 0)
_log = logging.getLogger("runtime.deadline")


class Exceeded(BaseException):
    """Raised in the thread of a request that was cut; no handler of an app should catch it."""


class Watched(Protocol):
    """A request that can be ended from outside its thread."""

    def cut(self, seconds: int) -> bytes | None:
        """End the span; returns the answer to send, or None where one has begun."""


@dataclass
class _Request:
    thread: int
    socket: socket.socket
    until: float


class Watch:
    """All requests that run in this process; those over `seconds` are cut, once it has begun."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._running: dict[Watched, _Request] = {}
        self._cut: dict[Watched, _Request] = {}

    def begin(self, replace: Callable[[], None]) -> None:
        """Watch; `replace` is called again and again while a thread is lost."""
        threading.Thread(target=self._look, args=(replace,), name="deadline", daemon=True).start()

    def enter(self, request: Watched, client: socket.socket) -> None:
        """Note that this thread answers `request` now."""
        entry = _Request(threading.get_ident(), client, time.monotonic() + self._seconds)
        with self._lock:
            self._running[request] = entry

    def leave(self, request: Watched) -> bool:
        """Note that `request` has ended; returns False where it was cut before."""
        with self._lock:
            self._cut.pop(request, None)
            return self._running.pop(request, None) is not None

    def lost(self) -> int:
        """Return how many threads did not come back from a request that was cut."""
        with self._lock:
            now = time.monotonic()
            return sum(entry.until + _LEAVE_SECONDS < now for entry in self._cut.values())

    def _look(self, replace: Callable[[], None]) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            for request, entry in self._over():
                # Whatever goes wrong with one request, the others must go on being watched.
                try:
                    _answer(entry.socket, request.cut(self._seconds))
                except Exception:
                    _log.exception("a request could not be cut")
                self._interrupt(request, entry)
            if self.lost():
                replace()

    def _over(self) -> list[tuple[Watched, _Request]]:
        now = time.monotonic()
        with self._lock:
            over = [item for item in self._running.items() if item[1].until <= now]
            for request, entry in over:
                self._cut[request] = self._running.pop(request)
                entry.until = now
        return over

    def _interrupt(self, request: Watched, entry: _Request) -> None:
        """Raise Exceeded in the request's thread: it ends Python's loops, not waits in C."""
        # Under the lock, so that it cannot reach the thread's next request.
        with self._lock:
            if request in self._cut:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(entry.thread), ctypes.py_object(Exceeded)
                )


def _answer(client: socket.socket, answer: bytes | None) -> None:
    try:
        if answer is None:
            _reset(client)
        else:
            client.send(answer, socket.MSG_DONTWAIT)
            client.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the client has gone, which is all that was wanted


def _reset(client: socket.socket) -> None:
    """Reset the connection: a mere close would look like the end of some answers.

    The descriptor goes on, as the request's thread may still use it: as a socket without a peer.
    """
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    ours, peer = socket.socketpair()
    with ours:
        peer.close()
        os.dup2(ours.fileno(), client.fileno(), inheritable=False)


@functools.cache
def watch() -> Watch | None:
    """Return this process's watch, where there is a deadline."""
    seconds = settings.read().request_deadline
    return Watch(seconds) if seconds else None
