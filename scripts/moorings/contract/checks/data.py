"""data.*: what was promised to customers is in the database, whatever ends meanwhile."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from moorings import probe
from moorings.contract import disk, wire, workers
from moorings.contract.column import Column
from moorings.contract.customers import MANY, Customers, ordering
from moorings.contract.disk import Disk
from moorings.contract.orders import all_there
from moorings.contract.outcome import claim
from moorings.contract.registry import check
from moorings.contract.site import Site
from moorings.contract.size import Size
from moorings.contract.wire import WireError
from moorings.service import SAMPLE
from moorings.settings import App
from moorings.target import Hosted, Keeps

#: Orders before and after each event, and of those before it how many are asked for once more.
ORDERS, ONCE_MORE = 10, 5

#: Seconds within which a killed database is started again, and a killed worker replaced.
BACK = 10.0

#: Requests of customers that run at a time: no more may be lost with who answers them.
RUN = MANY

#: How often all of it happens at full size.
ROUNDS = 4

#: Seconds from which on it is told how long customers waited.
LONG = 1.0

#: Requests after which a worker has a successor; customers send some dozens a second.
FEW = 50

#: Megabytes that one request wants: more than a container may have.
HOARD = 2000

#: What customers are told while the disk is full, and how many shall be told it.
HONEST, REFUSED = {"answered 503", "answered 500"}, 20

ROOT = Path(__file__).resolve().parents[4]

#: By what the code of the sample is deployed as an app of the operator's own.
SHOP = {"app.app": App().app, "app.ready": SAMPLE.ready, "app.migrate": SAMPLE.migrate}

#: In one statement, so that no order is between the two.
GOODS = """SELECT (SELECT sum(stock) FROM products)
  + (SELECT coalesce(sum(quantity), 0) FROM order_lines)"""


@dataclass(frozen=True)
class Event:
    """What happens to the app or its database while customers order."""

    name: str
    happens: Callable[[Site, Customers], None]
    keeps_app: bool = False
    """Whether the app's processes live on, and find the database again by themselves."""
    most: int | None = None
    """How many requests may fail; None: all that are asked while it lasts."""
    rare: bool = False
    """Whether it is left to the full size, as CI has the time for the others."""


@dataclass(frozen=True)
class Cost:
    """What customers noticed of an event, in the worst of its rounds."""

    failed: int
    """Requests."""
    longest: float
    """Seconds until one was answered who asked again."""

    def or_worse(self, other: "Cost") -> "Cost":
        """Return the worst of both."""
        return Cost(max(self.failed, other.failed), max(self.longest, other.longest))


def _keeps(site: Site | Column) -> Keeps:
    assert isinstance(site.target, Keeps)
    return site.target


def _kill_worker(site: Site, _: Customers) -> None:
    os.kill(min(workers.numbers(site)), signal.SIGKILL)


def _deploy(site: Site, _: Customers) -> None:
    now = int(str(site.deployment.settings.server.threads))
    site.deploy({"server.threads": 5 if now != 5 else 4}, proof=False)


def _reload(site: Site, _: Customers) -> None:
    now = site.deployment.settings.server.log_level
    site.reload({"server.log_level": "error" if now != "error" else "info"})


def _recycle(site: Site, _: Customers) -> None:
    """Let each worker have a successor, as after so many requests, and leave that setting again."""
    site.deploy({"server.max_requests": FEW}, proof=False)
    before = workers.numbers(site).keys()

    def replaced() -> bool | None:
        return None if before & workers.numbers(site).keys() else True

    probe.until(replaced, what=f"each worker to end after {FEW} requests", timeout=BACK)
    site.deploy(proof=False)


def _roll_back(folder: Path, site: Site, _: Customers) -> None:
    """Deploy the same shop as code of another folder, and go back to the release before."""
    before = _version(site)
    site.deploy({"app.dir": str(folder), **SHOP}, proof=False)
    claim(_version(site) != before, "a deploy of other code changed nothing")
    site.rollback(before)
    claim(_version(site) == before, f"{_version(site)} serves in place of {before}")


def _version(site: Site) -> str:
    live = site.target.live()
    return live.version if live is not None else ""


def _kill_app(site: Site, _: Customers) -> None:
    """Kill the process with which the container of the app ends."""
    before = _app(site)
    masters = [int(one.id) for one in site.target.instances() if one.role == "master"]
    os.kill(_first(site, min(masters)), signal.SIGKILL)

    def anew() -> bool | None:
        now = {one.id for one in site.target.instances() if one.role == "worker"}
        return True if now - before else None

    probe.until(anew, what="the app to be started again", timeout=BACK)


def _first(site: Site, master: int) -> int:
    """Return the process that came before a master in its container; itself where it is that."""
    mine = {one.id for one in site.target.instances()}
    before = psutil.Process(master).ppid()
    return before if str(before) in mine else master


def _kill_database(site: Site, _: Customers) -> None:
    """Kill the process with which its container ends: what is to start it again is its policy."""
    database = _keeps(site).database()
    killed = database.process()
    claim(killed > 0, "the database does not run")
    os.kill(killed, signal.SIGKILL)

    def anew() -> bool | None:
        return True if database.process() not in (killed, 0) else None

    probe.until(anew, what="the database to be started again", timeout=BACK)


def _restart_database(site: Site, _: Customers) -> None:
    _keeps(site).database().restart()


def _run_out_of_memory(site: Site, _: Customers) -> None:
    """Let a worker want more than its container may have: the kernel kills it."""
    before = workers.numbers(site)
    with suppress(WireError):
        answer = wire.ask(f"{site.url}/_probe/hoard/{HOARD}")
        claim(answer.status >= 500, f"it may have {HOARD} MB", answer)

    def killed() -> bool | None:
        now = workers.numbers(site)
        return True if now.keys() - before.keys() and len(now) == len(before) else None

    probe.until(killed, what="the kernel to kill a worker, and another one", timeout=BACK)


def _fill(small: Disk, _: Site, customers: Customers) -> None:
    """Let the database's disk be full until customers have noticed."""
    before = len(customers.failures)

    def met() -> list[str]:
        return customers.failures[before:]

    with small.full():
        probe.until(lambda: True if len(met()) >= REFUSED else None,
                    what=f"{REFUSED} orders to be refused", timeout=BACK)  # fmt: skip
        lies = set(met()) - HONEST
    claim(not lies, f"with a full disk: {', '.join(lies)}")


def _restart_engine(site: Site, _: Customers) -> None:
    assert isinstance(site.target, Hosted)
    site.target.restart_engine()


EVENTS = (
    Event("SIGKILL of a worker", _kill_worker, most=RUN),
    Event("a worker out of memory", _run_out_of_memory, most=RUN, rare=True),
    Event("a deploy", _deploy, most=0),
    Event("a reload", _reload, most=0, rare=True),
    Event("workers replaced", _recycle, most=0, rare=True),
    Event("SIGKILL of the app's container", _kill_app, rare=True),
    Event("SIGKILL of the database", _kill_database, keeps_app=True),
    Event("a restart of the database", _restart_database, keeps_app=True, rare=True),
)


def _events(size: Size, small: Disk | None, engine: bool, shop: Path) -> tuple[Event, ...]:
    """Return what happens at a size, one after another.

    :param shop: a folder with the code of the sample, as one of the operator's own.
    """
    full = size is Size.FULL
    back = Event("a rollback", partial(_roll_back, shop), most=0, rare=True)
    disks = [Event("a full disk", partial(_fill, small), keeps_app=True)] if small else []
    engines = (
        [Event("a restart of the engine or kubelet", _restart_engine, rare=True)] if engine else []
    )
    once = [event for event in (*EVENTS, back, *disks, *engines) if full or not event.rare]
    return tuple(once) * (ROUNDS if full else 1)


@contextmanager
def _shop() -> Iterator[Path]:
    """Lend the code of the sample in a folder of its own, which makes it another release."""
    with TemporaryDirectory(prefix="moorings-shop-") as name:
        files = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "service" / "store", Path(name, "store"), ignore=files)
        yield Path(name)


def _kept(site: Site) -> str:
    """Return why the engine is not restarted; empty where it may be."""
    return site.target.engine_in_use() if isinstance(site.target, Hosted) else "there is none"


@check(
    "data.durable",
    proves="what was answered 201 is in the database exactly once after kills of a worker and of "
    "the database, a deploy, a full disk (--full: of the app's container, no memory, a reload, a "
    "rollback, workers replaced, restarts); a key repeats its order",
    needs=["store", "probe", "deploy", "process", "database"],
    control="an app that answers before it commits",
)
def durable(column: Column) -> str:
    """Let customers order while all of it happens, and then look into the database itself."""
    with disk.small() as mounted, _shop() as shop:
        where = _keeps(column).data_in(mounted.folder) if mounted else None
        small = mounted if where is not None else None
        with column.other(where) as site, ordering(site.url) as customers:
            database, kept = _keeps(site).database(), _kept(site)
            goods = database.rows(GOODS)
            met = _meet_all(site, customers, _events(column.size, small, not kept, shop))
            customers.leave()
            all_there(site, customers.bought, "all of it")
            claim(database.rows(GOODS) == goods, "sold and left is not what there was")
    without = [] if small else ["; no full disk, which takes root and data in a folder"]
    if column.size is Size.FULL and kept:
        without.append(f"; the engine not restarted: {kept}")
    return _figure(customers, met) + "".join(without)


def _figure(customers: Customers, met: Mapping[str, Cost]) -> str:
    many, again = len(customers.bought), len(customers.failures)
    bounded = [event.name for event in EVENTS if event.most and event.name in met]
    lost = ", ".join(f"{met[name].failed} by {name}" for name in bounded)
    waited = ", ".join(f"{cost.longest:.1f} s at {name}"
                       for name, cost in met.items() if cost.longest >= LONG)  # fmt: skip
    slow = f"the longest waited {waited}" if waited else f"nobody waited {LONG:.0f} s"
    return f"{many} of {many} orders exactly once, {again} asked again ({lost}); {slow}"


def _meet_all(site: Site, customers: Customers, events: Sequence[Event]) -> Mapping[str, Cost]:
    """Let one event happen after another; return what each cost at most."""
    found: dict[str, Cost] = {}
    for event in events:
        cost = _meet(site, customers, event)
        found[event.name] = cost.or_worse(found.get(event.name, cost))
    return found


def _meet(site: Site, customers: Customers, event: Event) -> Cost:
    """Let an event happen under load, and see that all orders are there and new ones come."""
    customers.wait(ORDERS)
    before, app, failed = customers.bought[-ONCE_MORE:], _app(site), len(customers.failures)
    customers.longest = 0.0
    event.happens(site, customers)
    customers.wait(ORDERS)
    all_there(site, customers.bought.copy(), event.name)
    for order in before:
        customers.again(order)
    met = customers.failures[failed:]
    bound = event.most is None or len(met) <= event.most
    claim(bound, f"{event.name}: {len(met)} requests failed, at most {event.most} may: {met[:3]}")
    same = _app(site) == app
    claim(same or not event.keeps_app, f"{event.name}: processes of the app were started anew")
    return Cost(len(met), customers.longest)


def _app(site: Site) -> set[str]:
    return {one.id for one in site.target.instances() if one.role in ("master", "worker")}
