"""Locks of open files and folders, which the kernel drops when their holder dies."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from moorings import probe, ui


@contextmanager
def waited(file: Path, what: str, timeout: float) -> Iterator[None]:
    """Hold a lock for the length of a block, and wait for it where another has it.

    :param what: what the other does, for the person who waits.
    :param timeout: seconds.
    :raises NotReadyError: when the time is up.
    """
    with file.open("w") as stream:
        if not taken(stream):
            with ui.working(f"Waiting for {what}"):
                probe.until(lambda: taken(stream) or None, what=what, timeout=timeout, every=0.5)
        yield


def taken(stream: TextIO | int) -> bool:
    """Take the lock of an open file or folder, if nobody has it."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
