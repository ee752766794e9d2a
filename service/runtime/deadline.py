"""Requests that run over REQUEST_DEADLINE are cut: answered 504, or reset in mid-answer.

A thread of its own watches, as what hangs cannot look at a clock. It can end what the client and
the span see; the request's thread it can only ask to stop, so the process may have to be replaced.
"""

import ctypes
import functools
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from runtime import settings
from runtime.problems import Problem

_LOOK_SECONDS = 0.1
# What a request that was cut may take to leave before its thread counts as lost.
_LEAVE_SECONDS = 0.5
_log = logging.getLogger("runtime.deadline")


class Exceeded(BaseException):
    """Raised in the thread of a request that was cut; no handler of an app should catch it."""


class Watched(Protocol):
    """A request that can be ended from outside its thread."""

    def look(self) -> None:
        """Note what can be seen only while it runs."""

    def cut(self, seconds: int) -> Problem | None:
        """End the span; returns the answer to send, or None where one has begun."""


class Client(Protocol):
    """Whoever waits for the answer; what fails because it has gone is no error."""

    def answer(self, problem: Problem) -> None:
        """Send an answer without waiting, and close."""

    def reset(self) -> None:
        """Reset the connection: a mere close would look like the end of some answers."""


def interrupt_thread() -> Callable[[], None]:
    """Return what raises Exceeded in this thread: it ends Python's loops, not waits in C."""
    return functools.partial(_interrupt_thread, threading.get_ident())


def _interrupt_thread(thread: int) -> None:
    error = ctypes.py_object(Exceeded)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error)


@dataclass(slots=True)
class _Request:
    thread: int
    client: Client
    until: float
    interrupt: Callable[[], None]
    struck: bool = False


class Watch:
    """All requests that run in this process; those over `seconds` are cut, once it has begun."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._running: dict[Watched, _Request] = {}
        self._cut: dict[Watched, _Request] = {}
        # A server whose requests are no threads has another way.
        self.interrupter = interrupt_thread

    def begin(self, replace: Callable[[], None]) -> None:
        """Watch; `replace` is called again and again while a thread is lost."""
        threading.Thread(target=self._look, args=(replace,), name="deadline", daemon=True).start()

    def enter(self, request: Watched, client: Client) -> None:
        """Note that this thread answers `request` now."""
        until = time.monotonic() + self._seconds
        entry = _Request(threading.get_ident(), client, until, self.interrupter())
        with self._lock:
            self._running[request] = entry

    def leave(self, request: Watched) -> bool:
        """Note that `request` has ended; returns False where it was cut."""
        with self._lock:
            self._cut.pop(request, None)
            entry = self._running.pop(request, None)
        if entry and entry.struck:
            self._end(request, entry)
        return entry is not None and not entry.struck

    def strike(self) -> bool:
        """Return whether this thread's request is over; then it is cut when it leaves.

        For handlers of signals: it takes no lock, as what it interrupts may hold one.
        """
        thread, now = threading.get_ident(), time.monotonic()
        for request, entry in list(self._running.items()):
            if entry.thread == thread and entry.until <= now:
                request.look()
                entry.struck = True
                return True
        return False

    def lost(self) -> int:
        """Return how many threads did not come back from a request that was cut."""
        with self._lock:
            now = time.monotonic()
            return sum(entry.until + _LEAVE_SECONDS < now for entry in self._cut.values())

    def running(self) -> int:
        """Return how many requests are within their time."""
        with self._lock:
            return len(self._running)

    def _look(self, replace: Callable[[], None]) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            for request, entry in self._over():
                self._end(request, entry)
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

    def _end(self, request: Watched, entry: _Request) -> None:
        # Whatever goes wrong with one request, the others must go on being watched.
        try:
            problem = request.cut(self._seconds)
            if problem:
                entry.client.answer(problem)
            else:
                entry.client.reset()
        except Exception:
            _log.exception("a request could not be cut")

    def _interrupt(self, request: Watched, entry: _Request) -> None:
        # Under the lock, so that it cannot reach the thread's next request.
        with self._lock:
            if request in self._cut:
                entry.interrupt()


class Replacement:
    """Ends a process that lost threads, once they alone are left, for another to take its place.

    What serves while it is told to take no more may have taken one more: so it is told at one
    look, and asked at a later one whether anything runs.
    """

    def __init__(self, watch: Watch, retire: Callable[[], None], leave: Callable[[], None]) -> None:
        self._watch, self._retire, self._leave = watch, retire, leave
        self._told = False

    def __call__(self) -> None:
        if not self._told:
            self._told = True
            self._retire()
        elif not self._watch.running():
            self._leave()
            os._exit(0)


@functools.cache
def watch() -> Watch | None:
    """Return this process's watch, where there is a deadline."""
    seconds = settings.read().request_deadline
    return Watch(seconds) if seconds else None
