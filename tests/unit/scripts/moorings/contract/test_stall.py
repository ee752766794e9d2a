from collections.abc import Iterator

import pytest

from moorings import probe
from moorings.contract.stall import EVERY, Stall, watched


def test_the_latest_look_counts() -> None:
    times: Iterator[float] = iter([0.0, EVERY, 2 * EVERY + 0.5, 3 * EVERY + 0.6])
    stall = Stall(lambda: next(times))
    for _ in range(4):
        stall.look()
    assert stall.longest == pytest.approx(0.5)


def test_it_looks_for_the_length_of_a_block() -> None:
    with watched() as stall:
        probe.until(lambda: stall.longest > 0 or None, what="a look", timeout=10, every=EVERY)
