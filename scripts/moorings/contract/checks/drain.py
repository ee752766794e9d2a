"""drain.*: what happens to requests when the app is replaced or stopped."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

from moorings import probe
from moorings.contract import backlog
from moorings.contract.column import Column
from moorings.contract.metrics import active
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.registry import check
from moorings.contract.site import Site
from moorings.contract.watch import running
from moorings.contract.wire import Answer, ClosedError, Connection
from moorings.errors import NotReadyError

#: Requests under way at a stop, of one worker fewer than there are: the last one answers who asks
#: how many run, also where a worker takes one at a time.
UNDER_WAY = 4

#: Seconds of those: some that a stop waits for, and more than it takes until a new release serves,
#: below the deadline of a request.
SHORT, LONG = 3, 25

#: Requests that wait behind one that runs.
QUEUED = 4

#: Seconds that a stop may take beyond the grace period, and for which a client waits in it.
BEYOND, LONGEST = 5.0, 120.0


@check(
    "drain.running",
    proves="every request that runs at a stop is answered, and behind a gateway at a reload too",
    needs=["probe", "deploy"],
    control="a short grace",
)
def drain_running(column: Column) -> str:
    """Stop it while requests run."""
    count = UNDER_WAY
    with column.other({"server.workers": UNDER_WAY + 1}) as site:
        if site.target.hops:
            # A gateway keeps a stop from the app until it is idle, a reload it does not.
            # And of no setting that the gateway has too: its own announcement would outlast them.
            _through(site, "reload", lambda: site.reload({"server.threads": 5}), LONG)
            count += UNDER_WAY
        took = _through(site, "stop", site.stop, SHORT)
    return f"0 failed of {count}, stopped in {took:.1f} s"


def _through(site: Site, name: str, event: Callable[[], None], seconds: int) -> float:
    """Let an event come while requests run; return the seconds that it took."""
    path = f"{site.url}/_probe/sleep/{seconds}"
    with (
        _counted(site) as meters,
        running(path, UNDER_WAY, timeout=seconds + 17) as under_way,
    ):
        _wait_until_active(meters, UNDER_WAY)
        began = time.monotonic()
        event()
        took = time.monotonic() - began
        failed = [problem for one in under_way if (problem := _problem(one))]
    if failed:
        fact = f"{len(failed)} of {UNDER_WAY} requests that ran at the {name} failed"
        raise CheckFailed(f"{fact}; the first: {failed[0]}")
    return took


@contextmanager
def _counted(site: Site) -> Iterator[tuple[str, ...]]:
    """Find out where requests are counted, before those of a few seconds begin."""
    meters = site.meters
    active(*meters)
    yield meters


def _wait_until_active(meters: tuple[str, ...], requests: int) -> None:
    def busy() -> bool | None:
        return True if active(*meters) >= requests else None

    probe.until(busy, what=f"{requests} requests to be running", timeout=5)


def _problem(one: "Future[Answer]") -> str:
    """Return what went wrong with a request, empty where nothing did."""
    try:
        answer = one.result()
    except CheckFailed as failed:
        return failed.fact
    return "" if answer.status == 200 else f"answered {answer.status}"


@check(
    "drain.queued",
    proves="every connection that was accepted before a stop is answered, running or queued",
    needs=["probe", "deploy", "process"],
    control="sync workers",
)
def drain_queued(column: Column) -> str:
    """Stop it while one request keeps its only thread and others wait behind it."""
    with column.other({"server.workers": 1, "server.threads": 1}) as site, ExitStack() as open_:
        first = open_.enter_context(Connection(site.url, timeout=20))
        asked = [(first, first.send("GET", "/_probe/stream/3/1"))]
        first.begin(asked[0][1])
        for _ in range(QUEUED):
            one = open_.enter_context(Connection(site.url, timeout=20))
            asked.append((one, one.send("GET", "/_probe/sleep/0.1")))
        _wait_until_taken(site)
        site.stop()
        failed = [problem for one, answer in asked if (problem := _unanswered(one, answer))]
    if failed:
        raise CheckFailed(f"{len(failed)} of {len(asked)} failed; the first: {failed[0]}")
    return f"0 failed of {len(asked)}, {QUEUED} of them queued"


def _wait_until_taken(site: Site) -> None:
    """Give a server that takes more than it runs the time for it."""
    port = urlsplit(site.url).port or 0

    def taken() -> bool | None:
        return True if backlog.waiting(port) == 0 else None

    with suppress(NotReadyError):
        probe.until(taken, what="the backlog to be taken", timeout=1, every=0.02)


def _unanswered(one: Connection, answer: Answer) -> str:
    try:
        one.read(answer)
    except CheckFailed as failed:
        return failed.fact
    return "" if answer.status == 200 else f"answered {answer.status}"


@check(
    "drain.deadline",
    proves="a request longer than the grace period is cut at it; stop ends within its bound + 5 s",
    needs=["probe", "deploy"],
    control="a long grace",
)
def drain_deadline(column: Column) -> str:
    """Stop it while a request hangs."""
    grace = 2
    with (
        column.other({"server.grace": grace}) as site,
        _counted(site) as meters,
        running(f"{site.url}/_probe/hang", 1, timeout=LONGEST) as under_way,
    ):
        _wait_until_active(meters, 1)
        # What a target has beside the grace period; a control has another one than was asked for.
        beside = site.target.longest_stop - site.deployment.settings.server.grace
        most = grace + beside + BEYOND
        took = _timed_stop(site, most)
        cut = under_way[0].exception()
    claim(took < most, f"the stop had not ended after {took:.1f} s, grace is {grace} s")
    claim(took > grace - 0.5, f"the stop took {took:.1f} s and did not wait {grace} s")
    claim(isinstance(cut, ClosedError), f"a request of 600 s was not cut: {cut or 'answered'}")
    return f"cut, stopped in {took:.1f} s of at most {most:.0f} s, with {grace} s of grace"


def _timed_stop(site: Site, most: float) -> float:
    """Return the seconds that a stop took; one that takes too long is ended by force."""
    pids, began = site.pids(), time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        stop = pool.submit(site.stop)
        with suppress(TimeoutError):
            stop.result(timeout=most)
        took = time.monotonic() - began
        if not stop.done():
            _kill(pids)
    return took


def _kill(pids: set[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
