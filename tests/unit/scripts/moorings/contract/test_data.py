"""What is said of orders that the database has not, twice, or by another number."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from moorings.contract.checks.data import EVENTS, Event, _all_there, _events, _meet
from moorings.contract.customers import Customers, Order
from moorings.contract.disk import Disk
from moorings.contract.outcome import CheckFailed
from moorings.contract.site import Site
from moorings.contract.size import Size
from moorings.target import Instance

BOUGHT = [Order("c1", "k1", "n1"), Order("c2", "k2", "n2")]


class Database:
    """A database past the app, with these rows of orders."""

    def __init__(self, *rows: list[str]) -> None:
        self._rows = list(rows)

    def rows(self, query: str) -> list[list[str]]:
        return self._rows

    def database(self) -> "Database":
        return self

    def process(self) -> int:
        raise NotImplementedError

    def data_in(self, folder: object) -> dict[str, object]:
        raise NotImplementedError

    def restart(self) -> None:
        raise NotImplementedError

    def instances(self) -> list[Instance]:
        return []


def look(*rows: list[str]) -> None:
    _all_there(cast(Site, SimpleNamespace(target=Database(*rows))), BOUGHT, "a deploy")


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


def test_what_ci_has_no_time_for_is_left_to_the_full_size(tmp_path: Path) -> None:
    rare = {event.name for event in EVENTS if event.rare} | {"a rollback"}
    often = {event.name for event in EVENTS} - rare | {"a full disk"}
    assert names(Size.CI, Disk(tmp_path)) == often
    assert names(Size.FULL, Disk(tmp_path)) == often | rare | {"a restart of the engine or kubelet"}


def test_what_is_others_is_left_alone() -> None:
    assert "a full disk" not in names(Size.FULL, None)
    assert "a restart of the engine or kubelet" not in names(Size.FULL, None, engine=False)


def names(size: Size, small: Disk | None, engine: bool = True) -> set[str]:
    return {event.name for event in _events(size, small, engine, Path("shop"))}


class Crowd:
    """Customers of whom some had to ask again."""

    def __init__(self, failing: int) -> None:
        self.bought, self.failures, self._failing = BOUGHT, list[str](), failing

    def wait(self, orders: int) -> None:
        """Have what they asked for."""

    def again(self, order: Order) -> None:
        """Have the same order."""

    def lose(self, site: Site, customers: Customers) -> None:
        self.failures += ["reset"] * self._failing


@pytest.mark.parametrize(("failing", "most"), [(0, 0), (1, 1), (4, 4), (9, None)])
def test_what_fails_within_the_bound_of_an_event_is_counted(failing: int, most: int | None) -> None:
    assert meet(failing, most) == failing


@pytest.mark.parametrize(("failing", "most"), [(1, 0), (5, 4)])
def test_what_fails_beyond_it_is_told(failing: int, most: int) -> None:
    with pytest.raises(CheckFailed, match=f"it: {failing} requests failed, at most {most} may"):
        meet(failing, most)


def meet(failing: int, most: int | None) -> int:
    crowd = Crowd(failing)
    site = SimpleNamespace(target=Database(["c1", "k1", "n1"], ["c2", "k2", "n2"]))
    return _meet(cast(Site, site), cast(Customers, crowd), Event("it", crowd.lose, most=most))
