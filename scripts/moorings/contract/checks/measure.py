"""metrics.*: what the workers say together."""

import os
import signal
import time
from contextlib import ExitStack

from moorings import probe
from moorings.contract import metrics, wire, workers
from moorings.contract.column import Column
from moorings.contract.counted import Counted
from moorings.contract.events import Events
from moorings.contract.hammer import loaded, unharmed
from moorings.contract.load import running
from moorings.contract.load_plan import Group, Plan, in_turn
from moorings.contract.metrics import Sample
from moorings.contract.outcome import claim
from moorings.contract.registry import check
from moorings.contract.site import Site
from moorings.contract.size import BETWEEN, Size
from moorings.contract.spans import Caller

#: Seconds within which a killed worker has a successor.
BACK = 30.0

#: Requests that are under way for one thread, and the seconds within which all of them are shown.
QUEUED, HELD = 5, 5.0

#: Paths that no route matches, for metrics.sum.
UNKNOWN = 5


@check(
    "metrics.sum",
    proves="the workers' sums equal the requests sent, after SIGKILL, and over a reload and a "
    "deploy under load, old and new together; no stale gauges, one series of unknown paths",
    needs=["probe", "deploy", "process"],
    control="a registry per worker",
)
def metrics_sum(column: Column) -> str:
    """Ask every worker, kill one, ask its successor; reload and deploy under load; add all up."""
    with column.other() as site:
        count = workers.count(site)
        _, sent = workers.ask_every(f"{site.url}/_probe/sleep/0.05", count)
        _adds_up(site, sent, count)
        _bounded_by_routes(site)
        killed = min(workers.numbers(site))
        os.kill(killed, signal.SIGKILL)
        probe.until(lambda: _succeeded(site, killed, count), what="another worker", timeout=BACK)
        sent += workers.ask_every(f"{site.url}/_probe/sleep/0.05", count)[1]
        _adds_up(site, sent, count)
        samples = metrics.read(*site.meters)
        started = metrics.total(samples, metrics.STARTS)
        wrong = f"{started:.0f} workers are said to have started, not {count + 1}"
        claim(started == count + 1, wrong)
        return (f"{sent} of {sent} by {count} workers and the successor of a killed one; "
                f"{_over_changes(site, sent, count, column.size)}; 0 running")  # fmt: skip


def _bounded_by_routes(site: Site) -> None:
    """Ask for what is nowhere: clients that invent paths must not invent series."""
    paths = [Caller().trace_id for _ in range(UNKNOWN)]
    for path in paths:
        wire.ask(f"{site.url}/{path}")

    def counted() -> list[Sample] | None:
        found = metrics.read(*site.meters)
        answered = metrics.total(found, metrics.ANSWERED, http_route="")
        return found if answered >= UNKNOWN else None

    samples = probe.until(counted, what=f"{UNKNOWN} unknown paths to be counted as one", timeout=5)
    named = [path for path in paths for one in samples if path in str(one.labels)]
    claim(not named, f"{len(named)} series are named by paths that clients invented")


def _over_changes(site: Site, before: int, count: int, size: Size) -> str:
    """Reload and deploy under load: each run counts from 0, and all add up to what was sent."""
    with ExitStack() as stack, loaded(site.url, size) as load:
        events = Events(load, size.requests)
        runs = [Counted(stack, workers.numbers(site))]
        events.begin("reload")
        site.reload({"server.threads": 5})
        load.wait(BETWEEN)
        runs.append(Counted(stack, workers.numbers(site)))
        events.begin("deploy")
        site.deploy({"server.threads": 6}, proof=False)
        report = unharmed(load, events)
        old = [run.requests() for run in runs]
    # One more was sent before the load, to see how connections are kept.
    sent = before + 1 + report.answered
    claim(all(old), f"of {sent:,} requests the runs that have ended counted {old}")
    _adds_up(site, sent - sum(old), count)
    return (f"{sent:,} of {sent:,} under load: {old[0]:,} before a reload, {old[1]:,} before a "
            f"deploy, {sent - sum(old):,} after it")  # fmt: skip


def _adds_up(site: Site, sent: int, count: int) -> None:
    """Read the sums as often as it takes to meet every worker."""
    meters = site.meters
    metrics.wait_for(meters, sent)
    for _ in range(5 * count):
        found = metrics.counted(*meters)
        claim(found == sent, f"/metrics counts {found:.0f} of {sent} requests")
    samples = metrics.read(*site.meters)
    running, there = (metrics.total(samples, name) for name in (metrics.ACTIVE, metrics.WORKERS))
    claim(running == 0, f"{running:.0f} requests are said to run, none does")
    claim(there == count, f"{there:.0f} workers are said to run, {count} do")


def _succeeded(site: Site, killed: int, count: int) -> bool | None:
    """Tell whether there are as many workers as before, of which each has its metrics."""
    now = workers.numbers(site)
    if killed in now or len(now) < count:
        return None
    there = metrics.total(metrics.read(*site.meters), metrics.WORKERS)
    return True if there == count else None


@check(
    "metrics.queue",
    proves="/metrics has each request under way: it runs, waits for a thread, or is not accepted",
    needs=["probe", "deploy"],
    control="Gunicorn's own threads",
)
def metrics_queue(column: Column) -> str:
    """Have clients wait for the only thread there is, and ask for the metrics among them."""
    with column.other({"server.workers": 1, "server.threads": 1}) as site:
        url = site.meters[0]
        with running(_waiting(url)):
            return _all_are_there(url)


def _waiting(url: str) -> Plan:
    """Have one client more than are asked for: each is for a moment between two requests."""
    clients = Group("waiting", QUEUED + 1, keep_alive=False)
    return Plan(url, in_turn("/_probe/sleep/0.2"), (clients,), seconds=4 * HELD)


def _all_are_there(url: str) -> str:
    """Ask until all are shown: not every answer finds all of them under way."""
    until = time.monotonic() + HELD
    while sum(found := _under_way(metrics.read(url))) < QUEUED:
        shown = f"/metrics shows {sum(found):.0f} of {QUEUED} requests"
        claim(time.monotonic() < until, shown)
    run, wait, outside = found
    return f"{run:.0f} run, {wait:.0f} wait for a thread, {outside:.0f} are not accepted"


def _under_way(samples: list[Sample]) -> list[float]:
    names = (metrics.ACTIVE, metrics.QUEUED, metrics.BACKLOG)
    return [metrics.total(samples, name) for name in names]
