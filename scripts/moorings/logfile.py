"""Log files of the service: their newest lines, as a person reads them, and what went wrong."""

import json
import os
from pathlib import Path
from typing import Any

from moorings import guarded

#: Bytes read from the end; lines of the service are a few hundred bytes long.
WINDOW = 1_000_000

#: How the runtime starts a line about a wrong setting or app.
PREFIX = "moorings: "


def tail(file: Path, lines: int) -> str:
    """Return the last lines of a file, empty where there is no file."""
    try:
        with guarded.reading(file) as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - WINDOW))
            text = stream.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def readable(text: str) -> str:
    """Turn JSON lines into what a person reads; other lines stay as they are."""
    return "\n".join(_readable(line) for line in text.splitlines())


def ours(text: str) -> str:
    """Leave out what a server wrote past its log, where the runtime has said what is wrong."""
    lines = text.splitlines()
    if not any(line.startswith(PREFIX) for line in lines):
        return text
    return "\n".join(line for line in lines if line.startswith(PREFIX) or _entry(line))


def _readable(line: str) -> str:
    entry = _entry(line)
    if not entry:
        return line
    head = f"{str(entry.get('time', ''))[11:19]} {entry.get('level', ''):7} {entry['message']}"
    traceback = str(entry.get("exception", "")).rstrip()
    return f"{head}\n{traceback}" if traceback else head


def cause(text: str) -> str:
    """Return what the runtime says of a release that cannot start, else the first error.

    What follows from an error comes later. The runtime's own line is the whole cause; the log
    line that may come before it goes with the traceback and is shorter.
    """
    lines = text.splitlines()
    said = (line.removeprefix(PREFIX) for line in lines if line.startswith(PREFIX))
    errors = (entry for line in lines if _is_error(entry := _entry(line)))
    first = (str(entry["message"]).splitlines()[0] for entry in errors)
    return next(said, "") or next(first, "")


def _is_error(entry: dict[str, Any]) -> bool:
    return entry.get("level") in ("error", "critical")


def _entry(line: str) -> dict[str, Any]:
    if not line.startswith("{"):
        return {}
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) and "message" in entry else {}
