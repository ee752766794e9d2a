"""The line of a request that the server refuses by itself: the runtime never sees it."""

import functools
import logging
import time
from http import HTTPStatus

from runtime import logs, settings


def note(status: int, address: str) -> None:
    """Write the line; what was refused is not repeated, as it may hold anything."""
    if _lines().level > logging.INFO:
        return
    reason = HTTPStatus(status).phrase
    fields = {
        "logger": logs.ACCESS,
        "message": f"refused by the server: {status} {reason}",
        "status": status,
        "client": address,
        "refused": True,
    }
    _lines().write(time.time(), "info", fields)


@functools.cache
def _lines() -> logs.Lines:
    return logs.Lines(settings.read())
