"""Medians and intervals of `make bench`; how fast anything is belongs into no test."""

import random

import pytest

from bench import stats


def test_an_interval_leaves_out_what_chance_may_bring() -> None:
    """Tables of the sign test have the 4th and the 12th of 15, the 6th and the 16th of 21."""
    assert stats.figure(list(range(1, 16))) == stats.Figure(8, 4, 12, 15)
    assert stats.figure(list(range(21, 0, -1))) == stats.Figure(11, 6, 16, 21)


def test_few_values_are_their_own_interval() -> None:
    assert stats.figure([3.0, 1.0, 2.0]) == stats.Figure(2.0, 1.0, 3.0, 3)
    assert stats.figure([5.0]) == stats.Figure(5.0, 5.0, 5.0, 1)


def test_nothing_measured_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        stats.figure([])


def test_the_true_median_is_in_95_of_100_intervals() -> None:
    dice = random.Random(7)
    found = [stats.figure([dice.expovariate(1) for _ in range(15)]) for _ in range(2000)]
    true = 0.6931
    held = sum(one.low <= true <= one.high for one in found)
    assert 0.95 * 2000 <= held <= 0.98 * 2000


def test_what_slows_both_falls_out() -> None:
    assert stats.ratios([1.0, 10.0, 3.0], [2.0, 20.0, 6.0]).median == 0.5


def test_what_is_added_is_compared_without_bare() -> None:
    assert stats.added([11.0, 22.0], [20.0, 40.0], [10.0, 20.0]).median == pytest.approx(0.1)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert stats.percentile(range(1, 1001), 0.99) == 991
    assert stats.percentile([4.0], 0.99) == 4.0
