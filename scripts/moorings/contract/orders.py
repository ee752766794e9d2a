"""Orders that customers were promised, looked for in the database itself, past the app."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from moorings.contract.column import Column
from moorings.contract.customers import Customers, Order, ordering
from moorings.contract.outcome import claim
from moorings.contract.site import Site
from moorings.target import Database, Keeps

#: Orders that have to come after what happened last; and the seconds of a customer between two, as
#: a check at full size lasts ten minutes, and the stock must too.
LAST, PAUSE = 4, 0.6

PLACED = "SELECT cart_id, idempotency_key, number FROM orders"


def database(site: Site) -> Database:
    """Return the database that a target has brought with it."""
    assert isinstance(site.target, Keeps)
    return site.target.database()


def all_there(site: Site, bought: list[Order], event: str) -> None:
    """See that the database has each order once, by the number that the customer was told."""
    found = [Order(*row) for row in database(site).rows(PLACED)]
    often: Mapping[tuple[str, str], int] = Counter((one.cart, one.key) for one in found)
    twice = [key for (_, key), times in often.items() if times > 1]
    claim(not twice, f"after {event}: {len(twice)} keys have more than one order: {twice[:3]}")
    there = set(found)
    lost = [one.number for one in bought if one not in there]
    fact = f"after {event}: {len(lost)} of {len(bought)} orders answered are not there: {lost[:3]}"
    claim(not lost, fact)


@contextmanager
def undisturbed(column: Column, site: Site) -> Iterator[Callable[[], str]]:
    """Have customers order for the length of a block, where it is the sample store that runs.

    What is lent ends their visit: it sees that nobody had to ask twice, and that each order is
    there once, and returns the figure.
    """
    if not {"store", "database"} <= column.has:
        yield lambda: ""
        return
    with ordering(site.url, PAUSE) as customers:
        yield partial(_told, site, customers)


def _told(site: Site, customers: Customers) -> str:
    customers.wait(LAST)
    customers.leave()
    return kept(site, customers)


def kept(site: Site, customers: Customers) -> str:
    """See that nobody had to ask twice, and that all was kept; return the figure."""
    met, bought = customers.failures, customers.bought
    claim(not met, f"customers had to ask {len(met)} times more: {met[:3]}")
    all_there(site, bought, "all of it")
    return f"; {len(bought)} of {len(bought)} orders exactly once"
