"""The newest lines of a log file, without reading all of it."""

import os
from pathlib import Path

#: Bytes read from the end; lines of the service are a few hundred bytes long.
WINDOW = 1_000_000


def tail(file: Path, lines: int) -> str:
    """Return the last lines of a file, empty where there is no file."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - WINDOW))
            text = stream.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
