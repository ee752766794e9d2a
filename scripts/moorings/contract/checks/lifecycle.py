"""drain.*, deploy.*, down.*: what happens to requests and processes when something changes."""

import os
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from moorings import probe
from moorings.contract import wire
from moorings.contract.column import Column
from moorings.contract.metrics import active
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.registry import check
from moorings.contract.site import Site, own_jaeger
from moorings.contract.watch import Watch, running, watching
from moorings.contract.wire import Answer
from moorings.errors import MoorError

APPS = Path(__file__).parents[1] / "apps"

#: Requests under way at a stop, of one worker fewer than there are: the last one answers who asks
#: how many run, also where a worker takes one at a time.
UNDER_WAY = 4

#: Seconds that a stop may take beyond the grace period.
BEYOND = 5.0


@check(
    "drain.running",
    proves="every request that runs at a stop is answered",
    needs=["probe", "deploy"],
    control="a short grace",
)
def drain_running(column: Column) -> str:
    """Stop it while requests of three seconds run."""
    with (
        column.other({"server.workers": UNDER_WAY + 1}) as site,
        running(f"{site.url}/_probe/sleep/3", UNDER_WAY, timeout=20) as under_way,
    ):
        _wait_until_active(site, UNDER_WAY)
        began = time.monotonic()
        site.stop()
        took = time.monotonic() - began
        failed = [problem for one in under_way if (problem := _problem(one))]
    if failed:
        fact = f"{len(failed)} of {UNDER_WAY} requests that ran at the stop failed"
        raise CheckFailed(f"{fact}; the first: {failed[0]}")
    return f"0 failed of {UNDER_WAY}, stopped in {took:.1f} s"


def _wait_until_active(site: Site, requests: int) -> None:
    def busy() -> bool | None:
        return True if active(site.url) >= requests else None

    probe.until(busy, what=f"{requests} requests to be running", timeout=5)


def _problem(one: "Future[Answer]") -> str:
    """Return what went wrong with a request, empty where nothing did."""
    try:
        answer = one.result()
    except CheckFailed as failed:
        return failed.fact
    return "" if answer.status == 200 else f"answered {answer.status}"


@check(
    "drain.deadline",
    proves="a request longer than the grace period is cut at it; stop ends within grace + 5 s",
    needs=["probe", "deploy"],
    control="no grace",
)
def drain_deadline(column: Column) -> str:
    """Stop it while a request hangs."""
    grace = 2
    with (
        column.other({"server.grace": grace}) as site,
        running(f"{site.url}/_probe/hang", 1, timeout=60) as under_way,
    ):
        _wait_until_active(site, 1)
        took = _timed_stop(site, grace + BEYOND)
        cut = _problem(under_way[0])
    claim(took < grace + BEYOND, f"the stop had not ended after {took:.1f} s, grace is {grace} s")
    claim(took > grace - 0.5, f"the stop took {took:.1f} s and did not wait {grace} s")
    claim(bool(cut), "a request of 600 s was answered")
    return f"cut, stopped in {took:.1f} s with {grace} s of grace"


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


@dataclass(frozen=True)
class Broken:
    """A release that must never take traffic."""

    app: str
    cause: str
    """What must be on screen."""
    flags: dict[str, object] = field(default_factory=dict)

    def settings(self) -> dict[str, object]:
        """Return the settings that deploy it."""
        here = {"app.dir": str(APPS / self.app), "app.app": "broken:app"}
        return {**here, "server.boot_timeout": 5, **self.flags}


BROKEN = (
    Broken("import_error", "No module named 'not_installed'"),
    Broken("never_ready", "the broken app is never ready", {"app.ready": "broken:ready"}),
    Broken("crash", "the broken app crashes"),
    Broken("third_load", "the broken app may not be loaded a third time"),
    Broken("migration", "the migration fails", {"app.migrate": "python migrate.py"}),
)


@check(
    "deploy.broken",
    proves="import error, never ready, crash in or after proof, failing migration: the old serves",
    needs=["deploy", "process", "probe"],
    control="no proof before the switch",
)
def deploy_broken(column: Column) -> str:
    """Deploy each broken release over a good one, watched by a simple client."""
    with column.other() as site, watching(f"{site.url}/version") as watch:
        for broken in BROKEN:
            _refuse(site, broken)
            _unharmed(watch, broken)
        claim(len(watch.bodies) > 0, "the watching client never got an answer")
    return f"{watch.figure} while {len(BROKEN)} broken releases were refused"


def _refuse(site: Site, broken: Broken) -> None:
    before, name = site.pids(), broken.app
    shown = _deploy(site, broken)
    claim(broken.cause in shown, f"{name}: {broken.cause!r} is not on screen, but: {shown[-500:]}")
    after = site.pids()
    claim(after == before, f"{name}: processes {sorted(before)} became {sorted(after)}")
    others = {process.pid for process in site.processes()} - before
    claim(not others, f"{name}: processes {sorted(others)} of the refused release are left")


def _deploy(site: Site, broken: Broken) -> str:
    """Return what the refused deploy shows."""
    try:
        site.deploy(broken.settings())
    except MoorError as problem:
        return "\n".join((problem.log, problem.fact, problem.hint))
    raise CheckFailed(f"{broken.app}: the deploy succeeded")


def _unharmed(watch: Watch, broken: Broken) -> None:
    if watch.failures:
        first = watch.failures[0]
        raise CheckFailed(f"{broken.app}: {watch.figure}; the first: {first.fact}")


@check(
    "down.clean",
    proves="after down no process, port or file of it is left; data stays unless --volumes",
    needs=["deploy", "process"],
    control="an app that leaves a daemon",
)
def down_clean(column: Column) -> str:
    """Take down an app with a Jaeger of its own, twice, and look for remains."""
    with column.other(own_jaeger()) as one:
        one.deployment.jaeger.start()
        url, were = one.url, one.processes()
        one.deployment.down()
        _nothing_left(one, url)
        kept = _files(one.deployment.layout.data)
        one.deployment.down(volumes=True)
        left = _files(one.deployment.layout.data)
    claim(bool(kept) or "store" not in column.has, "the data did not survive down")
    claim(not left, f"down --volumes left {left[:3]}")
    return f"{len(were)} processes gone, {len(kept)} data files kept until --volumes"


def _nothing_left(site: Site, url: str) -> None:
    left = [f"{process.pid} {' '.join(process.cmdline())[:80]}" for process in site.processes()]
    claim(not left, f"processes are left after down: {left}")
    layout = site.deployment.layout
    for folder in (layout.releases, layout.run, layout.logs):
        claim(not folder.exists(), f"{folder} is left after down")
    with suppress(wire.RefusedError):
        raise CheckFailed("it still answers after down", wire.ask(f"{url}/healthz"))


def _files(folder: Path) -> list[str]:
    return [str(file) for file in folder.rglob("*") if file.is_file()]
