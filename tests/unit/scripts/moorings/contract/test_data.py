"""What happens to the app and its database at each size, and what is left alone."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from tests.unit.scripts.moorings.contract.conftest import BOUGHT, Database

from moorings.contract.checks.data import EVENTS, Cost, Event, _events, _figure, _meet
from moorings.contract.customers import Customers, Order
from moorings.contract.disk import Disk
from moorings.contract.outcome import CheckFailed
from moorings.contract.site import Site
from moorings.contract.size import Size


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


#: Seconds that one of them waits.
LONGEST = 1.5


class Crowd:
    """Customers of whom some had to ask again."""

    def __init__(self, failing: int) -> None:
        self.bought, self.failures, self._failing = BOUGHT, list[str](), failing
        # Of what was before.
        self.longest = 9.0

    def wait(self, orders: int) -> None:
        """Have what they asked for."""

    def again(self, order: Order) -> None:
        """Have the same order."""

    def lose(self, site: Site, customers: Customers) -> None:
        self.failures += ["reset"] * self._failing
        self.longest = max(self.longest, LONGEST)


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
    cost = _meet(cast(Site, site), cast(Customers, crowd), Event("it", crowd.lose, most=most))
    assert cost.longest == LONGEST
    return cost.failed


def test_it_is_told_what_made_customers_wait() -> None:
    crowd = SimpleNamespace(bought=BOUGHT, failures=["reset"])
    met = {"SIGKILL of a worker": Cost(1, 0.2), "a restart of the database": Cost(9, 1.5)}
    told = _figure(cast(Customers, crowd), met)
    assert told.endswith("1 asked again (1 by SIGKILL of a worker); "
                         "the longest waited 1.5 s at a restart of the database")  # fmt: skip
    assert _figure(cast(Customers, crowd), {}).endswith("nobody waited 1 s")


def test_of_several_rounds_the_worst_is_told() -> None:
    assert Cost(1, 3.0).or_worse(Cost(2, 1.0)) == Cost(2, 3.0)
