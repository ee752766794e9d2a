"""crash.*, hang.*, recycle: what clients notice where processes end that nobody asked to end."""

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

from moorings import probe
from moorings.contract import ledger, metrics, sockets, wire, workers
from moorings.contract.column import Column
from moorings.contract.events import Events
from moorings.contract.hammer import ended, figure, loaded, unharmed
from moorings.contract.load_plan import below_400
from moorings.contract.load_report import Report
from moorings.contract.orders import undisturbed
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.registry import check
from moorings.contract.site import Site
from moorings.contract.size import BETWEEN
from moorings.contract.spans import Caller, arrived
from moorings.contract.wire import Answer

#: Seconds within which a killed master serves again.
BACK = 10.0

#: Seconds within which a killed worker has a successor that answers.
STRONG = 5.0

#: Seconds that a request may take where one hangs, and until what it held is free again.
DEADLINE, REPLACED = 3, 20.0

#: Workers of which one hangs: where each takes one request at a time, those that are left must be
#: more than a match for the load, or the next request that hangs waits in their queue first.
WORKERS = 4

#: Seconds of answers whose spans may have died with their worker: they leave once a second, and
#: the clocks of the load and of the kill are not read at the same moment.
BATCH = 2.0

#: Spans that a worker sends at once, and loses at most where it is killed: the SDK's default of
#: OTEL_BSP_MAX_EXPORT_BATCH_SIZE.
AT_ONCE = 512


@dataclass
class Seen:
    """The workers that have answered so far."""

    workers: set[str] = field(default_factory=set)

    def note(self, answer: Answer) -> str:
        """Keep who made an answer; judge it as any load does."""
        if answer.status == 200:
            self.workers.add(workers.who(json.loads(answer.body)))
        return below_400(answer)


@check(
    "crash.worker",
    proves="SIGKILL of a worker under load: one request per connection it held, spans of its batch",
    needs=["probe", "deploy", "process", "traces"],
    control="an app that boots slowly",
)
def crash_worker(column: Column) -> str:
    """Kill one of two workers, and count what was lost with it."""
    seen, size = Seen(), column.size
    with column.other() as site:
        with loaded(site.url, size, verdict=seen.note) as load:
            events = Events(load, size.requests)
            before = workers.numbers(site)
            events.begin("SIGKILL")
            killed, held = time.time(), _kill(min(before))
            took = _strong_again(site, before, seen)
            report = ended(load, events)
        site.stop()
        found = ledger.compare(
            ledger.Reader(column.traces, site.name), report.answered_ids,
            since=report.since, maybe=report.failed_ids,
        )  # fmt: skip
    if report.failed > held:
        raise CheckFailed(f"more failed than its {held} connections: {report.describe()}")
    claim(not found.extra and not found.doubled, found.describe())
    in_the_batch(report, found.lost, killed - report.since)
    lost = f"{len(found.lost)} of at most {AT_ONCE} spans lost"
    return (f"{report.summary()}, {held} connections held; {lost}, of {events.figure(report)}; "
            f"strong after {took:.1f} s")  # fmt: skip


def _kill(worker: int) -> int:
    """Kill a worker; return how many connections of clients it held at that moment."""
    os.kill(worker, signal.SIGSTOP)
    held = sockets.clients(worker)
    os.kill(worker, signal.SIGKILL)
    return held


def _strong_again(site: Site, before: dict[int, str], seen: Seen) -> float:
    """Wait for as many workers as before, each of which has answered; return the seconds."""

    def strong() -> bool | None:
        now = workers.numbers(site)
        answered = seen.workers.issuperset(now.values())
        return True if len(now) >= len(before) and now != before and answered else None

    def last() -> str:
        now = workers.numbers(site)
        answered = len(seen.workers.intersection(now.values()))
        return f"{len(now)} of {len(before)} run, {answered} of them have answered"

    began = time.monotonic()
    probe.until(strong, what="another worker to answer", timeout=STRONG, last=last)
    return time.monotonic() - began


def in_the_batch(report: Report, lost: Sequence[str], killed: float) -> None:
    """See that no more than a batch is lost, of requests that were answered just before the kill.

    :param killed: seconds since the load began.
    """
    claim(len(lost) <= AT_ONCE, f"{len(lost)} spans lost, a batch of one worker is {AT_ONCE}")
    answered = {one.trace_id: one.ended for one in report.records}
    strays = [one for one in lost if abs(killed - answered[one]) > BATCH]
    claim(not strays, f"{len(strays)} spans lost of other times than the kill: {strays[:5]}")


@check(
    "hang.worker",
    proves="a request that never ends gets 503 or 504 in time and an error span; others go on, and "
    "each order of that time is there exactly once",
    needs=["probe", "deploy", "process", "traces"],
    control="no deadline",
)
def hang_worker(column: Column) -> str:
    """Let requests hang under load, one after another; no thread of theirs may stay."""
    size = column.size
    wanted = {"server.deadline": DEADLINE, "server.workers": WORKERS}
    with (
        column.other(wanted) as site,
        undisturbed(column, site) as orders,
        loaded(site.url, size) as load,
    ):
        before = _threads(site)
        took = [_hang(column, site) for _ in range(size.cycles)]
        load.wait(BETWEEN)
        probe.until(lambda: True if _threads(site) <= before else None, timeout=REPLACED,
                    what=f"the workers to have {before} threads again",
                    last=lambda: str(_threads(site)))  # fmt: skip
        kept = orders()
        report = unharmed(load)
    return f"cut after {max(took):.1f} s at most, {report.summary()} beside it{kept}"


def _hang(column: Column, site: Site) -> float:
    """Ask for what never ends; return the seconds until it was cut."""
    caller, began = Caller(), time.monotonic()
    answer = wire.ask(f"{site.url}/_probe/hang", headers=caller.headers, timeout=DEADLINE + 5)
    took = time.monotonic() - began
    claim(answer.status in (503, 504), f"answered {answer.status}", answer)
    claim(took <= DEADLINE + 2, f"cut after {took:.1f} s, the limit is {DEADLINE} s", answer)
    trace = arrived(column, caller.trace_id, lambda found: bool(found.spans), answer)
    claim(any(span.error for span in trace.spans), "its span has no error status", answer)
    return took


def _threads(site: Site) -> int:
    """Return how many threads all workers have; one that is lost stays as long as its process."""
    return sum(psutil.Process(pid).num_threads() for pid in workers.numbers(site))


@check(
    "recycle",
    proves="workers replaced after so many requests under load: 0 failed, ledger even",
    needs=["probe", "deploy", "process", "traces"],
    control="spans to nowhere",
)
def recycle(column: Column) -> str:
    """Let every worker be replaced again and again."""
    seen, size = Seen(), column.size
    with column.other({"server.max_requests": 100}) as site:
        wanted = len(workers.numbers(site)) * (1 + size.cycles)
        with loaded(site.url, size, verdict=seen.note) as load:
            events = Events(load, size.requests)
            events.begin("recycle")
            probe.until(
                lambda: True if len(seen.workers) >= wanted else None,
                what=f"{wanted} workers to answer, one after another",
                timeout=size.seconds / 2,
                last=lambda: f"{len(seen.workers)} have",
            )
            events.enough()
            report = unharmed(load)
        # One more was sent before the load, to see how connections are kept.
        metrics.wait_for(site.meters, report.answered + 1)
        site.stop()
        reader = ledger.Reader(column.traces, site.name)
        found = ledger.compare(reader, report.answered_ids, since=report.since)
    if not found.even:
        raise CheckFailed(found.describe())
    return f"{figure(report)}, {found.figure}, by {len(seen.workers)} workers"


@check(
    "crash.master",
    proves="a killed master is started again by its supervisor, and its orphans are gone",
    needs=["probe", "deploy", "process"],
    no_control="the supervisor owns the socket and cannot be left out; its own tests kill it",
)
def crash_master(column: Column) -> str:
    """Kill the master while nobody asks, and wait for another that answers."""
    with column.other() as site:
        family = {one.id: one.role for one in site.target.instances()}
        (master,) = [int(id) for id, role in family.items() if role == "master"]
        orphans = {int(id) for id, role in family.items() if role == "worker"}
        os.kill(master, signal.SIGKILL)
        began = time.monotonic()
        probe.until(lambda: _anew(site, {master, *orphans}), what="another master", timeout=BACK)
        took = time.monotonic() - began
        _wait_until_gone(site, orphans)
    return f"serves again after {took:.1f} s, {len(orphans)} orphans gone"


def _anew(site: Site, old: set[int]) -> bool | None:
    found = {int(one.id) for one in site.target.instances() if one.role != "supervisor"}
    serves = found and not found & old and probe.Http(f"{site.inner}/readyz")() is not None
    return True if serves else None


def _wait_until_gone(site: Site, old: set[int]) -> None:
    def gone() -> bool | None:
        return None if {process.pid for process in site.processes()} & old else True

    probe.until(gone, what="the orphans to end", timeout=BACK)
