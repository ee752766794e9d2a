"""The threads that requests run in, where the server leaves them to us."""

import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from runtime import settings

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")

#: Hears how many wait for a thread, when that changes.
_hearer: Callable[[float], None] | None = None


def tell(hearer: Callable[[float], None]) -> None:
    """Have `hearer` called with how many wait for a thread of this process, when that changes."""
    global _hearer
    _hearer = hearer


class Pool(ThreadPoolExecutor):
    """A pool that grows by what it lost: what waits in its queue must still be answered."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads, "request")
        self._threads_wanted = threads
        self._told = 0
        self._telling = threading.Lock()

    def submit(
        self, task: Callable[_Given, _Result], /, *args: _Given.args, **named: _Given.kwargs
    ) -> Future[_Result]:
        """Have a thread do it, and tell who wants to know how many wait before and after that."""

        def begin() -> _Result:
            self._tell()
            return task(*args, **named)

        future = super().submit(begin)
        self._tell()
        return future

    def _tell(self) -> None:
        with self._telling:
            waiting = self._work_queue.qsize()
            if _hearer and waiting != self._told:
                self._told = waiting
                _hearer(waiting)

    def replace(self, lost: int) -> None:
        """Have `lost` threads more than at first."""
        with self._shutdown_lock:
            while self._max_workers < self._threads_wanted + lost:
                self._max_workers += 1
                # A thread that goes from one request to the next counts as idle too, so the count
                # can promise threads that all hang: it must not keep a new one from starting.
                while self._idle_semaphore.acquire(blocking=False):
                    pass
                self._adjust_thread_count()


@functools.cache
def pool() -> Pool:
    """Return this process's pool of THREADS, for servers that have none of their own."""
    return Pool(settings.whole(os.environ, "THREADS", 4, "threads", least=1))
