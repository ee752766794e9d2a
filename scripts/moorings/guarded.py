"""Files in folders that the service's user may write to: root follows no link there.

An app that was taken over could put a link, a pipe or a device where moor, as root, is about to
read, write or give something away.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from moorings.errors import MoorError

#: Neither follow a link, nor wait for the other end of a pipe.
_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def reading(path: Path) -> BinaryIO:
    """Open a file to be read.

    :raises FileNotFoundError: where there is none.
    :raises MoorError: where it is no plain file.
    """
    return os.fdopen(_open(path, os.O_RDONLY), "rb")


def appending(path: Path) -> BinaryIO:
    """Open a file, made where there is none, to be written at its end.

    :raises MoorError: where it is no plain file.
    """
    return os.fdopen(_open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab")


def leave(path: Path, text: str, owner: tuple[int, int] | None) -> None:
    """Put a file, which its owner alone may read, in the place of whatever is there.

    :param owner: user and group, by number; None leaves it to who writes it.
    """
    with suppress(FileNotFoundError):
        path.unlink()
    made = os.open(path, _FLAGS | os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(made, "w") as stream:
        stream.write(text)
        if owner is not None:
            os.fchown(made, *owner)


def _open(path: Path, flags: int) -> int:
    try:
        found = os.open(path, _FLAGS | flags, 0o644)
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise _odd(path, str(problem.strerror)) from None
    seen = os.fstat(found)
    # A second name of a file may be one that belongs to somebody else.
    if not stat.S_ISREG(seen.st_mode) or seen.st_nlink > 1:
        os.close(found)
        raise _odd(path, "no plain file")
    return found


def _odd(path: Path, what: str) -> MoorError:
    hint = "look at it: where it is a link or a pipe, the app put it there"
    return MoorError(f"{path} is not opened: {what}", hint=hint)
