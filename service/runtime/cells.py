"""Prometheus values that are added to where they lie, in the file that a worker shares.

prometheus_client takes its lock and looks for a fork at each of the four steps of a request; here
it is one lock for all of them. Its own `inc` and `get` still work: the values are its own.
"""

import struct
from typing import Any

_pack = struct.Struct("dd").pack_into


class Cell:
    """One value of a file; whoever adds to it holds a lock."""

    __slots__ = ("file", "place", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.file = value._file
        self.place = value._file._positions[value._key]


def add(*amounts: tuple[Cell, float]) -> None:
    """Add to each cell, and let the other processes see it."""
    for cell, amount in amounts:
        cell.value._value += amount
        # The memory is asked for each time: the file is mapped anew when it grows.
        _pack(cell.file._m, cell.place, cell.value._value, 0.0)


def of_gauge(gauge: Any) -> Cell | None:
    """Return a gauge's cell, where it lies in a file."""
    return Cell(gauge._value) if _is_shared(gauge._value) else None


def of_histogram(child: Any) -> tuple[Cell, list[Cell]] | None:
    """Return the cells of a histogram's sum and of its buckets, where they lie in a file."""
    if not _is_shared(child._sum):
        return None
    return Cell(child._sum), [Cell(bucket) for bucket in child._buckets]


def _is_shared(value: Any) -> bool:
    return bool(value._multiprocess)
