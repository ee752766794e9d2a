"""What is said of orders that the database has not, twice, or by another number."""

from types import SimpleNamespace
from typing import cast

import pytest
from tests.unit.scripts.moorings.contract.conftest import BOUGHT, Database

from moorings.contract.column import Column
from moorings.contract.customers import Customers
from moorings.contract.orders import all_there, kept, undisturbed
from moorings.contract.outcome import CheckFailed
from moorings.contract.site import Site


def site(*rows: list[str]) -> Site:
    return cast(Site, SimpleNamespace(target=Database(*rows), url="http://nowhere.invalid"))


def look(*rows: list[str]) -> None:
    all_there(site(*rows), BOUGHT, "a deploy")


def test_all_orders_once_is_fine_and_one_without_its_answer_yet_too() -> None:
    look(["c1", "k1", "n1"], ["c2", "k2", "n2"], ["c3", "k3", "n3"])


def test_an_order_that_is_not_there_is_told() -> None:
    with pytest.raises(CheckFailed, match=r"after a deploy: 1 of 2 orders .* not there: \['n2'\]"):
        look(["c1", "k1", "n1"])


def test_another_number_is_another_order() -> None:
    with pytest.raises(CheckFailed, match="not there"):
        look(["c1", "k1", "n1"], ["c2", "k2", "other"])


def test_two_orders_by_one_key_are_told() -> None:
    with pytest.raises(CheckFailed, match="1 keys have more than one order"):
        look(["c1", "k1", "n1"], ["c2", "k2", "n2"], ["c2", "k2", "n4"])


def test_customers_who_were_not_disturbed_have_all_their_orders() -> None:
    rows = [[one.cart, one.key, one.number] for one in BOUGHT]
    assert kept(site(*rows), Customers("", BOUGHT)) == "; 2 of 2 orders exactly once"
    with pytest.raises(CheckFailed, match="after all of it: 1 of 2 orders"):
        kept(site(rows[0]), Customers("", BOUGHT))
    with pytest.raises(CheckFailed, match=r"had to ask 1 times more: \['answered 503'\]"):
        kept(site(*rows), Customers("", BOUGHT, ["answered 503"]))


@pytest.mark.parametrize("has", [{"store"}, {"database"}, {"probe"}])
def test_an_app_that_takes_no_orders_has_no_customers(has: set[str]) -> None:
    with undisturbed(Column("other", has=frozenset(has)), site()) as told:
        assert told() == ""
