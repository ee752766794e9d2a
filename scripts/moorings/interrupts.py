"""Ctrl-C and SIGTERM, at the few moments at which they have to wait."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: What a terminal and an init system end moor by.
NUMBERS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def held() -> Iterator[None]:
    """Let them wait while something is started and written down, so that none runs unknown.

    Held by handlers and not by a mask: a process that is started inherits a mask, and would be
    deaf to the signals by which it is ended. Only the main thread hears signals at all.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {one: signal.signal(one, lambda number, _: came.append(number)) for one in NUMBERS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        if came:
            signal.raise_signal(came[0])
