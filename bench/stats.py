"""Medians and their intervals, of pairs that were measured one right after the other."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import comb
from statistics import median

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Figure:
    """The median of some measurements, and where the true one lies in 95 of 100 runs."""

    median: float
    low: float
    high: float
    count: int

    def rounded(self, digits: int = 4) -> dict[str, float]:
        """Return it as it goes into a report."""
        return {name: round(value, digits) for name, value in asdict(self).items()}


def figure(values: Sequence[float]) -> Figure:
    """Return the median of `values`; raises ValueError where there are none."""
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    skipped = _skipped(len(ordered))
    return Figure(median(ordered), ordered[skipped], ordered[-1 - skipped], len(ordered))


def _skipped(count: int) -> int:
    """Return how many values at each end lie outside the interval: whatever their distribution.

    A median lies below the k-th of n values with the chance that fewer than k of n coins show head.
    With five values or fewer no interval is that sure: then it is all of them.
    """
    outside, skipped = 0.0, 0
    for number in range(count // 2):
        outside += 2 * comb(count, number) / 2**count
        if outside > 1 - CONFIDENCE:
            break
        skipped = number
    return skipped


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Figure:
    """Compare pair by pair: what slows the machine down for both falls out."""
    return figure([one / other for one, other in zip(ours, theirs, strict=True)])


def added(ours: Sequence[float], theirs: Sequence[float], bare: Sequence[float]) -> Figure:
    """Compare what each adds to a bare request, round by round."""
    rounds = zip(ours, theirs, bare, strict=True)
    return figure([(one - base) / (other - base) for one, other, base in rounds])


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
