"""The load generator: clients on loopback that hammer and retry nothing, until told to stop.

A thread of its own, bounded in requests and seconds. Closed loop: each client sends its next
request when the last one is answered. Open loop: requests are due at a fixed rate, and latency
counts from then, so that a stall shows in every request that it delays.
"""

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from moorings import probe
from moorings.contract.load_client import Client, Shared
from moorings.contract.load_plan import Plan
from moorings.contract.load_releases import Succession
from moorings.contract.load_report import Report
from moorings.errors import MoorError, NotReadyError

#: Seconds that a load may take to begin, and to end beyond its last request's timeout.
SLACK = 10.0


class Load:
    """A load under way. `running` is how a check starts one."""

    def __init__(self, plan: Plan, succession: Succession) -> None:
        """Take what to do, and who may answer."""
        self._plan = plan
        self._succession = succession
        self._begun: Future[tuple[asyncio.AbstractEventLoop, Shared]] = Future()
        self._done: Future[Report] = Future()

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._work, name="load", daemon=True).start()
        self._loop, self._shared = self._begun.result(SLACK)

    @property
    def sent(self) -> int:
        """How many requests have come to an end so far."""
        return len(self._shared.records)

    @property
    def over(self) -> bool:
        """Tell whether it has ended by itself: a check that still needs it asked for too little."""
        return self._done.done()

    def wait(self, requests: int, timeout: float = 30.0) -> None:
        """Wait for so many further requests.

        :param timeout: seconds.
        :raises NotReadyError: when the time is up, or the load is over.
        """
        goal = self.sent + requests

        def reached() -> bool | None:
            if self.sent >= goal:
                return True
            if self.over:
                raise NotReadyError(
                    f"the load is over after {self.sent:,} requests, {goal:,} were awaited",
                    hint="give its plan more requests or seconds",
                )
            return None

        probe.until(reached, what=f"{requests:,} requests", timeout=timeout, every=0.01,
                    last=lambda: f"{self.sent:,} of {goal:,}")  # fmt: skip

    def stop(self) -> Report:
        """Send no more, wait for what is under way, and return what came of all.

        :raises MoorError: where it could not do its work; the same again at a second call.
        """
        with contextlib.suppress(RuntimeError):  # its loop is closed: it has ended by itself
            self._loop.call_soon_threadsafe(self._shared.end, "stopped")
        try:
            return self._done.result(self._plan.timeout + SLACK)
        except TimeoutError:
            raise MoorError("the load did not stop: a verdict of its plan may hang") from None

    def _work(self) -> None:
        try:
            self._done.set_result(asyncio.run(self._main()))
        except BaseException as problem:
            self._done.set_exception(problem)

    async def _main(self) -> Report:
        loop = asyncio.get_running_loop()
        shared = Shared(self._plan, self._succession, asyncio.Event(), loop.time())
        since = time.time()
        timer = loop.call_later(self._plan.seconds, shared.end, "seconds")
        self._begun.set_result((loop, shared))
        await asyncio.gather(*(client.run() for client in _clients(shared)))
        timer.cancel()
        return Report(
            records=tuple(shared.records),
            ended=shared.ended or "stopped",
            since=since,
            quiet_closes=shared.quiet_closes,
            connections=shared.connections,
        )


def _clients(shared: Shared) -> Iterator[Client]:
    for group in shared.plan.groups:
        turns = itertools.count()
        for _ in range(group.clients):
            yield Client(shared, group, turns)


@contextmanager
def running(plan: Plan, succession: Succession | None = None) -> Iterator[Load]:
    """Load for the length of a block; `stop` it in there, or call `stop` afterwards, to read it.

    :param succession: which releases may answer; without one any may.
    """
    load = Load(plan, succession or Succession())
    load.start()
    try:
        yield load
    finally:
        load.stop()
