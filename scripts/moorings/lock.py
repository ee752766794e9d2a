"""One change of a deployment at a time.

The kernel drops the lock when its holder dies, so a dead holder never blocks anybody.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from moorings import users
from moorings.errors import LockedError
from moorings.flock import taken


@dataclass(frozen=True)
class Lock:
    """The lock of a deployment: a file that says who holds it."""

    file: Path

    @contextmanager
    def held(self, doing: str) -> Iterator[None]:
        """Hold it for the length of a block.

        :param doing: what the holder does, for whoever finds the lock taken.
        :raises LockedError: naming the holder.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a+") as stream:
            self._take(stream)
            stream.truncate(0)
            json.dump({"pid": os.getpid(), "user": users.operator(), "doing": doing,
                       "since": time.strftime("%H:%M:%S")}, stream)  # fmt: skip
            stream.flush()
            yield

    def _take(self, stream: TextIO) -> None:
        if not taken(stream):
            raise LockedError(
                f"this deployment is being changed: {self._holder()}",
                hint="wait for it to end, then try again",
            )

    def _holder(self) -> str:
        try:
            holder = json.loads(self.file.read_text())
            return "{doing}, by {user} (process {pid}), since {since}".format(**holder)
        except (ValueError, TypeError, KeyError):
            return "by a command that has just begun"
