"""A small disk in memory, which a check may fill without harm to the machine."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moorings import users
from moorings.runner import LocalRunner

#: Megabytes: a database at its first start has about 60.
SIZE = 128

#: Bytes that are written at once, at first and at last: the last page is to be taken too.
STEPS = (1024 * 1024, 4096)


@dataclass(frozen=True)
class Disk:
    """Where it is mounted."""

    folder: Path

    @contextmanager
    def full(self) -> Iterator[None]:
        """Leave no room on it for the length of a block."""
        ballast = self.folder / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file:
                for step in STEPS:
                    _write(file.fileno(), b"\0" * step)
            yield
        finally:
            ballast.unlink(missing_ok=True)


def _write(file: int, piece: bytes) -> None:
    """Write until there is no room."""
    try:
        while os.write(file, piece):
            pass
    except OSError as problem:
        if problem.errno != errno.ENOSPC:
            raise


@contextmanager
def small() -> Iterator[Disk | None]:
    """Lend a disk; None where the user may mount none."""
    if not users.is_root():
        yield None
        return
    runner = LocalRunner()
    with tempfile.TemporaryDirectory(prefix="moorings-disk-") as name:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "moorings", name]
        runner.run(mount, timeout=10, quiet=True)
        try:
            yield Disk(Path(name))
        finally:
            runner.run(["umount", "--lazy", name], timeout=10, quiet=True)
