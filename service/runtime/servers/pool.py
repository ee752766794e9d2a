"""The threads that requests run in, where the server leaves them to us."""

import functools
import os
from concurrent.futures import ThreadPoolExecutor

from runtime import settings


class Pool(ThreadPoolExecutor):
    """A pool that grows by what it lost: what waits in its queue must still be answered."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads, "request")
        self._threads_wanted = threads

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
