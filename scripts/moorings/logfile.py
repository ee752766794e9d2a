"""Log files of the service: their newest lines, as a person reads them, and what went wrong."""

import json
import os
from pathlib import Path
from typing import Any

#: Bytes read from the end; lines of the service are a few hundred bytes long.
WINDOW = 1_000_000

#: How the runtime starts a line about a wrong setting or app.
PREFIX = "moorings: "


def tail(file: Path, lines: int) -> str:
    """Return the last lines of a file, empty where there is no file."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - WINDOW))
            text = stream.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def readable(text: str) -> str:
    """Turn JSON lines into what a person reads; other lines stay as they are."""
    return "\n".join(_readable(line) for line in text.splitlines())


def _readable(line: str) -> str:
    entry = _entry(line)
    if not entry:
        return line
    head = f"{str(entry.get('time', ''))[11:19]} {entry.get('level', ''):7} {entry['message']}"
    traceback = str(entry.get("traceback", "")).rstrip()
    return f"{head}\n{traceback}" if traceback else head


def cause(text: str) -> str:
    """Return the first error in log lines: what follows from it comes later."""
    return next((found for line in text.splitlines() if (found := _cause(line))), "")


def _cause(line: str) -> str:
    # What the runtime says before its log is set up.
    if line.startswith(PREFIX):
        return line.removeprefix(PREFIX)
    entry = _entry(line)
    return str(entry["message"]).splitlines()[0] if _is_error(entry) else ""


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
