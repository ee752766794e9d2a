"""*.load, deploy.lock, trace.ledger: what clients notice of a change while they hammer."""

import itertools
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from moorings import lifecycle, probe
from moorings.contract import ledger, wire
from moorings.contract.checks.lifecycle import APPS
from moorings.contract.column import Column
from moorings.contract.events import Events
from moorings.contract.hammer import SLEEPS, ended, figure, loaded, unharmed
from moorings.contract.load import Load
from moorings.contract.load_releases import Succession
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.registry import check
from moorings.contract.site import Site
from moorings.contract.size import BETWEEN
from moorings.contract.spans import context
from moorings.errors import LockedError

#: What a gateway's lines name as their logger.
GATEWAY = "gateway"

OTHER: dict[str, object] = {"app.dir": str(APPS / "second"), "app.app": "second:app"}


@check(
    "reload.load",
    proves="reloads under load: 0 failed, and the changed setting is in effect",
    needs=["probe", "deploy", "process"],
    control="changes by restart",
)
def reload_load(column: Column) -> str:
    """Change the number of workers again and again."""
    size = column.size
    numbers = itertools.islice(itertools.cycle((3, 4, 2)), max(3, size.cycles))
    with column.other() as site, loaded(site.url, size) as load:
        for workers in numbers:
            site.reload({"server.workers": workers, "server.log_level": "error"})
            load.wait(BETWEEN)
            _has_workers(site, workers)
        report = unharmed(load)
        _logs_errors_only(site)
        return figure(report)


def _has_workers(site: Site, wanted: int) -> None:
    def count() -> int:
        return sum(one.role == "worker" for one in site.target.instances())

    # Each pod has as many.
    all_of_them = wanted * len(site.meters)
    probe.until(lambda: True if count() == all_of_them else None, what=f"{all_of_them} workers",
                timeout=15, last=lambda: str(count()))  # fmt: skip


def _logs_errors_only(site: Site) -> None:
    """See that a request has no line any more, and that one that fails still has its traceback."""
    quiet, failed = (context(wire.ask(site.url + path))[0] for path in (SLEEPS, "/_probe/crash"))
    probe.until(lambda: failed in _traces(site) or None, what="the line of an error", timeout=5)
    claim(quiet not in _traces(site), "a request has a line, and only errors are to be logged")


def _traces(site: Site) -> set[str]:
    """Return the traces that the app's newest lines name; a gateway has lines of its own."""
    lines = map(json.loads, site.logs().splitlines())
    return {line.get("trace_id", "") for line in lines if line.get("logger") != GATEWAY}


@check(
    "deploy.load",
    proves="other code with other dependencies, and back, under load: 0 failed, none of the old; "
    "a gateway in a container keeps its processes",
    needs=["probe", "deploy", "process"],
    control="changes by restart",
)
def deploy_load(column: Column) -> str:
    """Deploy another app over the first and the first over it, judged by who answers when."""
    size = column.size
    with column.other() as site:
        succession = Succession(site.coming({}).version, site.target.mixes)
        door = _gateway(site)
        claim(bool(door) or "engine" not in column.has, "no process of the gateway is to be seen")
        with loaded(site.url, size, succession) as load:
            for number in range(size.cycles):
                flags = {} if number % 2 else OTHER
                succession.begin(site.coming(flags).version)
                before = site.pids()
                site.deploy(flags, proof=False)
                succession.finish()
                _nothing_of(before, site)
                claim(_gateway(site) == door, "the gateway has other processes than before")
                load.wait(BETWEEN)
            return _figure(site, load)


def _gateway(site: Site) -> set[str]:
    """Return the processes of a gateway: a reload of it has other ones, as a new one has."""
    return {one.id for one in site.target.instances() if one.role == GATEWAY}


def _figure(site: Site, load: Load) -> str:
    both = "; both releases answered while it went on" if site.target.mixes else ""
    return f"{figure(unharmed(load))}{both}"


@check(
    "rollback.load",
    proves="back to the release before, and forth, under load: 0 failed, none of the old",
    needs=["probe", "deploy", "process"],
    control="changes by restart",
)
def rollback_load(column: Column) -> str:
    """Deploy two releases of an app, then go from each back to the other."""
    size = column.size
    with _two_releases(column) as (site, versions):
        succession = Succession(versions[-1], site.target.mixes)
        with loaded(site.url, size, succession) as load:
            for number in range(size.cycles):
                succession.begin(versions[number % 2])
                before = site.pids()
                site.rollback(versions[number % 2])
                succession.finish()
                _nothing_of(before, site)
                load.wait(BETWEEN)
            return _figure(site, load)


@contextmanager
def _two_releases(column: Column) -> Iterator[tuple[Site, list[str]]]:
    """Deploy an app, change its code, deploy again; lend the site, and the versions in order."""
    with TemporaryDirectory() as place:
        folder = Path(shutil.copytree(APPS / "second", Path(place, "app")))
        with column.other({**OTHER, "app.dir": str(folder)}) as site:
            versions = [site.coming({}).version]
            (folder / "changed.py").write_text("")
            versions.append(site.coming({}).version)
            site.deploy(proof=False)
            yield site, versions


def _nothing_of(before: set[int], site: Site) -> None:
    of_a_release = ("master", "worker")
    stays = {int(one.id) for one in site.target.instances() if one.role not in of_a_release}
    left = {process.pid for process in site.processes()} & before - stays
    claim(not left, f"processes {sorted(left)} of the old release are left")


@check(
    "deploy.lock",
    proves="of two deploys at once the second names the holder and leaves",
    needs=["probe", "deploy"],
    no_control="the lock is the kernel's flock: no setting leaves it out",
)
def deploy_lock(column: Column) -> str:
    """Begin another deploy while one is about to prove its release."""
    said: list[str] = []
    with column.other() as site:
        first = site.coming(OTHER).version
        site.deploy(OTHER, proof=False, meanwhile=lambda: said.append(_refused(site)))
        claim(site.target.live() == site.coming(OTHER), "the first did not come to its end")
    claim(any(f"deploy {first}" in fact for fact in said), f"it said {said}")
    return "the second was refused, naming the first"


def _refused(site: Site) -> str:
    """Deploy a release of the first app's code beside what goes on; return why it may not."""
    try:
        lifecycle.deploy(site.target, site.coming({}), site.deployment.plan())
    except LockedError as refused:
        return refused.fact
    raise CheckFailed("two deploys went on at once")


@check(
    "trace.ledger",
    proves="requests answered = server spans stored, by trace id, over load, reload, deploy, stop",
    needs=["probe", "deploy", "traces"],
    control="spans to nowhere",
)
def trace_ledger(column: Column) -> str:
    """Hammer, reload, deploy, and stop at once after the last answer; then compare the ids."""
    size = column.size
    with column.other() as site:
        with loaded(site.url, size) as load:
            events = Events(load, size.requests)
            events.begin("reload")
            site.reload({"server.workers": 3})
            load.wait(BETWEEN)
            events.begin("deploy")
            before = site.pids()
            site.deploy({"server.threads": 5}, proof=False)
            _nothing_of(before, site)
            events.begin("stop")
            report = ended(load, events)
        site.stop()
        reader = ledger.Reader(column.traces, site.name)
        found = ledger.compare(
            reader, report.answered_ids, since=report.since, maybe=report.failed_ids
        )
    told = events.figure(report, found.lost)
    if report.failed or not found.even:
        raise CheckFailed(f"{found.describe()}\n{told}\n{report.describe()}")
    return f"{found.figure}: {told}"
