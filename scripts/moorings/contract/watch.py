"""Clients in the background: one that asks again and again, and requests that take long."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from moorings.contract import wire
from moorings.contract.outcome import CheckFailed
from moorings.contract.wire import Answer

#: A watcher ends by itself: requests and seconds.
MOST, LONGEST = 60_000, 600.0

#: Seconds between two requests, so that watching is no load.
PAUSE = 0.01


@dataclass
class Watch:
    """What a simple client saw, one request after another, each on its own connection."""

    url: str
    asked: int = 0
    failures: list[CheckFailed] = field(default_factory=list)
    bodies: set[bytes] = field(default_factory=set)

    @property
    def figure(self) -> str:
        """Return the failed of all."""
        return f"{len(self.failures)} failed of {self.asked:,}"

    def follow(self, stop: threading.Event) -> None:
        """Ask until told to stop, or until enough."""
        until = time.monotonic() + LONGEST
        while not stop.wait(PAUSE) and self.asked < MOST and time.monotonic() < until:
            self._ask()

    def _ask(self) -> None:
        self.asked += 1
        try:
            answer = wire.ask(self.url, timeout=5)
        except CheckFailed as failed:
            self.failures.append(failed)
            return
        self.bodies.add(answer.body)
        if answer.status != 200:
            self.failures.append(CheckFailed(f"answered {answer.status}", answer))


@contextmanager
def watching(url: str) -> Iterator[Watch]:
    """Watch a URL for the length of a block."""
    watch, stop = Watch(url), threading.Event()
    thread = threading.Thread(target=watch.follow, args=(stop,), name="watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        stop.set()
        thread.join()


@contextmanager
def running(url: str, requests: int, timeout: float) -> Iterator[list[Future[Answer]]]:
    """Have some requests under way at once, each on its own connection."""
    with ThreadPoolExecutor(requests, "running") as pool:
        yield [pool.submit(wire.ask, url, timeout=timeout) for _ in range(requests)]
