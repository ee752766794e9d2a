"""What workers have counted that have ended since: `/metrics` can no longer be asked of them.

prometheus_client counts in files, one for each worker. Whoever holds one open can read its last
state, wherever the folder was and whether it is still there.
https://prometheus.github.io/client_python/multiprocess/
"""

import json
import struct
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from moorings.contract.metrics import SLEEPS

#: The files in which histograms are counted, and what of them is the number of requests.
FILES, BUCKET = "histogram_*.db", "http_server_request_duration_seconds_bucket"

_INT, _DOUBLE = struct.Struct("i"), struct.Struct("d")

#: Bytes of the file's head, of a value with its time.
_HEAD, _VALUE = 8, 16


class Counted:
    """The files of workers that run; to be read when they have ended."""

    def __init__(self, stack: ExitStack, pids: Iterable[int]) -> None:
        """Open what these workers and those before them have counted in, until the stack ends."""
        folders = {folder for pid in pids for folder in _folders(pid)}
        # Workers share a folder, and each sees it from a root of its own.
        found = {_identity(file): file for one in folders for file in one.glob(FILES)}
        self._files: list[BinaryIO] = [
            stack.enter_context(file.open("rb")) for file in found.values()
        ]

    def requests(self) -> int:
        """Return how many requests to sleep they have counted."""
        return round(sum(value for file in self._files for value in _buckets(file)))


def _identity(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_dev, found.st_ino


def _folders(pid: int) -> set[Path]:
    """Return where a process keeps its files, in whatever root it has."""
    process = Path(f"/proc/{pid}")
    links = (_target(fd) for fd in (process / "fd").iterdir())
    files = (link for link in links if link is not None and link.match(FILES))
    return {process / "root" / file.parent.relative_to("/") for file in files}


def _target(fd: Path) -> Path | None:
    try:
        return fd.readlink()
    except FileNotFoundError:
        return None  # it has been closed meanwhile


def _buckets(file: BinaryIO) -> Iterator[float]:
    file.seek(0)
    for key, value in values(file.read()):
        _, name, labels, _ = json.loads(key)
        if name == BUCKET and labels.get("http_route") == SLEEPS:
            yield value


def values(data: bytes) -> Iterator[tuple[str, float]]:
    """Yield keys and values of such a file: a length, a key, blanks up to 8 bytes, a double."""
    at, used = _HEAD, _INT.unpack_from(data)[0] if data else 0
    while at < used:
        (length,) = _INT.unpack_from(data, at)
        at += _INT.size
        key = data[at : at + length].decode()
        at += length + 8 - (length + _INT.size) % 8
        yield key, _DOUBLE.unpack_from(data, at)[0]
        at += _VALUE
