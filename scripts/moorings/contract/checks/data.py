"""data.*: what was promised to customers is in the database, whatever ends meanwhile."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from moorings import probe
from moorings.contract import disk, wire, workers
from moorings.contract.column import Column
from moorings.contract.customers import Customers, ordering
from moorings.contract.disk import Disk
from moorings.contract.orders import all_there
from moorings.contract.outcome import claim
from moorings.contract.registry import check
from moorings.contract.site import Site
from moorings.contract.size import Size
from moorings.contract.wire import WireError
from moorings.target import Hosted, Keeps

#: Orders before and after each event, and of those before it how many are asked for once more.
ORDERS, ONCE_MORE = 10, 5

#: Seconds within which a killed database is started again, and a killed worker replaced.
BACK = 10.0

#: How often all of it happens at full size.
ROUNDS = 4

#: Megabytes that one request wants: more than a container may have.
HOARD = 2000

#: What customers are told while the disk is full, and how many shall be told it.
HONEST, REFUSED = {"answered 503", "answered 500"}, 20

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
    unnoticed: bool = False
    """Whether no customer may have to ask twice."""
    rare: bool = False
    """Whether it is left to the full size, as CI has the time for the others."""


def _keeps(site: Site | Column) -> Keeps:
    assert isinstance(site.target, Keeps)
    return site.target


def _kill_worker(site: Site, _: Customers) -> None:
    os.kill(min(workers.numbers(site)), signal.SIGKILL)


def _deploy(site: Site, _: Customers) -> None:
    now = int(str(site.deployment.settings.server.threads))
    site.deploy({"server.threads": 5 if now != 5 else 4}, proof=False)


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
    Event("SIGKILL of a worker", _kill_worker),
    Event("a worker out of memory", _run_out_of_memory, rare=True),
    Event("a deploy", _deploy, unnoticed=True),
    Event("SIGKILL of the database", _kill_database, keeps_app=True),
    Event("a restart of the database", _restart_database, keeps_app=True, rare=True),
)


def _events(size: Size, small: Disk | None, engine: bool) -> tuple[Event, ...]:
    """Return what happens at a size, one after another."""
    full = size is Size.FULL
    disks = [Event("a full disk", partial(_fill, small), keeps_app=True)] if small else []
    engines = (
        [Event("a restart of the engine or kubelet", _restart_engine, rare=True)] if engine else []
    )
    once = [event for event in (*EVENTS, *disks, *engines) if full or not event.rare]
    return tuple(once) * (ROUNDS if full else 1)


def _kept(site: Site) -> str:
    """Return why the engine is not restarted; empty where it may be."""
    return site.target.engine_in_use() if isinstance(site.target, Hosted) else "there is none"


@check(
    "data.durable",
    proves="what was answered 201 is in the database exactly once after kills of a worker and of "
    "the database, a deploy, a full disk (--full: no memory, restarts); a key repeats its order",
    needs=["store", "probe", "deploy", "process", "database"],
    control="an app that answers before it commits",
)
def durable(column: Column) -> str:
    """Let customers order while all of it happens, and then look into the database itself."""
    with disk.small() as mounted:
        where = _keeps(column).data_in(mounted.folder) if mounted else None
        small = mounted if where is not None else None
        with column.other(where) as site, ordering(site.url) as customers:
            database, kept = _keeps(site).database(), _kept(site)
            goods = database.rows(GOODS)
            for event in _events(column.size, small, engine=not kept):
                _meet(site, customers, event)
            customers.leave()
            all_there(site, customers.bought, "all of it")
            claim(database.rows(GOODS) == goods, "sold and left is not what there was")
    without = [] if small else ["; no full disk, which takes root and data in a folder"]
    if column.size is Size.FULL and kept:
        without.append(f"; the engine not restarted: {kept}")
    return _figure(customers) + "".join(without)


def _figure(customers: Customers) -> str:
    many, failed = len(customers.bought), len(customers.failures)
    slowest = f"the longest waited {customers.longest:.1f} s"
    return f"{many} of {many} orders exactly once, {failed} asked again, {slowest}"


def _meet(site: Site, customers: Customers, event: Event) -> None:
    """Let an event happen under load, and see that all orders are there and new ones come."""
    customers.wait(ORDERS)
    before, app, failed = customers.bought[-ONCE_MORE:], _app(site), len(customers.failures)
    event.happens(site, customers)
    customers.wait(ORDERS)
    all_there(site, customers.bought.copy(), event.name)
    for order in before:
        customers.again(order)
    met = customers.failures[failed:]
    claim(not (event.unnoticed and met), f"{event.name}: {met[:3]}")
    same = _app(site) == app
    claim(same or not event.keeps_app, f"{event.name}: processes of the app were started anew")


def _app(site: Site) -> set[str]:
    return {one.id for one in site.target.instances() if one.role in ("master", "worker")}
