"""The files of Prometheus metrics that a server's workers share: read together, and kept few."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.mmap_dict import MmapedDict

# What a process of this number has counted is the sum of those that ended: no process has it.
_NOBODY = 0
# It has no types.
_Values: Any = MmapedDict
# Adding files up takes milliseconds.
_PATIENCE = 1.0


def settle(folder: Path) -> None:
    """Add up what workers left that have ended, so that the folder does not grow with them."""
    with locked(folder, fcntl.LOCK_EX) as alone:
        # Else the next worker does it: two at once would count twice.
        for file in _left(folder) if alone else ():
            kind = file.name.rpartition("_")[0]
            if not kind.startswith(("gauge_live", "gauge_all")):
                _add(file, folder / f"{kind}_{_NOBODY}.db", kind)
            file.unlink(missing_ok=True)


def of_the_living(folder: Path) -> list[str]:
    """Return the files to be read: a worker that was killed has left gauges of what it did."""
    left = {file for file in _left(folder) if file.name.startswith("gauge_live")}
    return [str(file) for file in folder.glob("*.db") if file not in left]


@contextmanager
def locked(folder: Path, how: int) -> Iterator[bool]:
    """Keep `settle` and readers apart; tell whether the lock was had, which somebody may keep."""
    with (folder / "lock").open("a") as file:
        deadline = time.monotonic() + _PATIENCE
        while not (taken := _taken(file.fileno(), how)) and time.monotonic() < deadline:
            time.sleep(0.005)
        yield taken


def _taken(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _left(folder: Path) -> list[Path]:
    """Return the files of processes that have ended."""
    return [file for file in folder.glob("*_*.db") if _ended(file.stem.rpartition("_")[2])]


def _ended(pid: str) -> bool:
    if not pid.isdecimal() or int(pid) == _NOBODY:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it runs, as another user
    return False


def _add(file: Path, to: Path, kind: str) -> None:
    sums = _Values(str(to))
    known = {key for key, *_ in sums.read_all_values()}
    for key, value, moment, _ in _Values.read_all_values_from_file(str(file)):
        old = sums.read_value(key) if key in known else None
        sums.write_value(key, *_both(kind, old, (value, moment)))
    sums.close()


_Value = tuple[float, float]


def _both(kind: str, old: _Value | None, new: _Value) -> _Value:
    """Return what two processes come to, in the way of their kind of metric."""
    if old is None:
        return new
    moment = max(old[1], new[1])
    if kind == "gauge_mostrecent":
        return new if new[1] >= old[1] else old
    if kind in ("gauge_min", "gauge_max"):
        return (min if kind == "gauge_min" else max)(old[0], new[0]), moment
    return old[0] + new[0], moment
