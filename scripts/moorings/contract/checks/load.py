"""*.load, crash.*, deploy.lock, trace.ledger: what clients notice of a change while they hammer."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from moorings import probe
from moorings.contract import ledger
from moorings.contract.checks.lifecycle import APPS
from moorings.contract.column import Column
from moorings.contract.load import Load, running
from moorings.contract.load_plan import Group, Plan, in_turn
from moorings.contract.load_releases import Succession
from moorings.contract.load_report import Report
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.registry import check
from moorings.contract.site import Site
from moorings.errors import LockedError

#: Both modes at once. The pause leaves the server the time to do anything else on a small machine.
CLIENTS = (
    Group("keep-alive", clients=4, pause=0.01),
    Group("per request", clients=4, keep_alive=False, pause=0.01),
)

#: Requests before, between and after the changes, so that each is met under load.
BETWEEN = 200

#: Seconds within which a killed master serves again.
BACK = 10.0

OTHER: dict[str, object] = {"app.dir": str(APPS / "second"), "app.app": "second:app"}


@contextmanager
def loaded(site: Site, succession: Succession | None = None) -> Iterator[Load]:
    """Hammer a site for the length of a block, by requests that each leave a span."""
    asked = in_turn("/_probe/sleep/0.02")
    plan = Plan(site.url, ask=asked, groups=CLIENTS, requests=100_000, seconds=150)
    with running(plan, succession) as load:
        load.wait(BETWEEN)
        yield load


def judged(load: Load) -> Report:
    """Stop a load that was on to the end, and see that nothing failed."""
    load.wait(BETWEEN)
    claim(not load.over, "the load ended before the change did")
    report = load.stop()
    if report.failed:
        raise CheckFailed(report.describe())
    return report


@check(
    "reload.load",
    proves="three reloads under load: 0 failed, and the changed setting is in effect",
    needs=["probe", "deploy", "process"],
    control="changes by restart",
)
def reload_load(column: Column) -> str:
    """Change the number of workers three times."""
    with column.other() as site, loaded(site) as load:
        for workers in (3, 1, 2):
            site.reload({"server.workers": workers})
            load.wait(BETWEEN)
            _has_workers(site, workers)
        return judged(load).summary()


def _has_workers(site: Site, wanted: int) -> None:
    def count() -> int:
        return sum(one.role == "worker" for one in site.target.instances())

    probe.until(lambda: True if count() == wanted else None, what=f"{wanted} workers",
                timeout=15, last=lambda: str(count()))  # fmt: skip


@check(
    "deploy.load",
    proves="other code with other dependencies, and back, under load: 0 failed, none of the old",
    needs=["probe", "deploy", "process"],
    control="changes by restart",
)
def deploy_load(column: Column) -> str:
    """Deploy another app over the first and the first over it, judged by who answers when."""
    with column.other() as site:
        first = site.coming({}).version
        succession = Succession(first)
        with loaded(site, succession) as load:
            for flags in (OTHER, {}):
                succession.begin(site.coming(flags).version)
                before = site.pids()
                site.deploy(flags, proof=False)
                succession.finish()
                _nothing_of(before, site)
                load.wait(BETWEEN)
            return judged(load).summary()


def _nothing_of(before: set[int], site: Site) -> None:
    serving = [int(one.id) for one in site.target.instances() if one.role == "supervisor"]
    left = {process.pid for process in site.processes()} & before - set(serving)
    claim(not left, f"processes {sorted(left)} of the old release are left")


@check(
    "deploy.lock",
    proves="of two deploys at once the second names the holder and leaves",
    needs=["probe", "deploy"],
    no_control="the lock is the kernel's flock: no setting leaves it out",
)
def deploy_lock(column: Column) -> str:
    """Start a deploy and another one while it runs."""
    with column.other() as site:
        began = threading.Thread(target=site.deploy, args=({"server.threads": 5},))
        began.start()
        try:
            fact = probe.until(lambda: _refused(site), what="the second to be refused", timeout=20)
        finally:
            began.join(timeout=120)
    claim(str(os.getpid()) in fact, f"the holder is not named: {fact}")
    return "the second was refused, naming the holder"


def _refused(site: Site) -> str | None:
    try:
        with site.deployment.lock.held("a second change"):
            return None
    except LockedError as refused:
        return refused.fact


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
        workers = {int(id) for id, role in family.items() if role == "worker"}
        os.kill(master, signal.SIGKILL)
        began = time.monotonic()
        probe.until(lambda: _anew(site, {master, *workers}), what="another master", timeout=BACK)
        took = time.monotonic() - began
        _wait_until_gone(site, workers)
    return f"serves again after {took:.1f} s, {len(workers)} orphans gone"


def _anew(site: Site, old: set[int]) -> bool | None:
    found = {int(one.id) for one in site.target.instances() if one.role != "supervisor"}
    serves = found and not found & old and probe.Http(f"{site.url}/readyz")() is not None
    return True if serves else None


def _wait_until_gone(site: Site, old: set[int]) -> None:
    def gone() -> bool | None:
        return None if {process.pid for process in site.processes()} & old else True

    probe.until(gone, what="the orphans to end", timeout=BACK)


@check(
    "trace.ledger",
    proves="requests answered = server spans stored, by trace id, over load, deploy and stop",
    needs=["probe", "deploy", "traces"],
    control="spans to nowhere",
)
def trace_ledger(column: Column) -> str:
    """Hammer, deploy, hammer, and stop at once; then compare the ids."""
    with column.other() as site:
        with loaded(site) as load:
            before = site.pids()
            site.deploy({"server.threads": 5}, proof=False)
            _nothing_of(before, site)
            report = judged(load)
        site.stop()
        reader = ledger.Reader(column.traces, site.name)
        found = ledger.compare(reader, report.answered_ids, since=report.since)
    if not found.even:
        raise CheckFailed(found.describe())
    return found.figure
