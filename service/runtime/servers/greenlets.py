"""Gunicorn's gevent worker, whose requests can be cut at their deadline."""

import logging
import signal
import socket
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import gevent  # type: ignore[import-untyped]
from gunicorn.workers.ggevent import GeventWorker

from runtime.deadline import Exceeded, Watch

_LOOK_SECONDS = 0.1
_log = logging.getLogger("runtime")


class Worker(GeventWorker):
    """Cuts requests that wait, and those that compute and let no other one run."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections = 0

    def watch(self, watch: Watch) -> None:
        """Interrupt requests at the deadline of `watch`, which runs in a greenlet too."""
        watch.interrupter = _interrupt_greenlet
        # What computes keeps the watch from running: a signal comes between, into whatever runs.
        # It counts the time of the processor, so that a worker that waits is not woken.
        signal.signal(signal.SIGVTALRM, partial(_strike, watch))
        signal.setitimer(signal.ITIMER_VIRTUAL, _LOOK_SECONDS, _LOOK_SECONDS)

    def retire(self, lost: int) -> bool:
        """Take no more connections; returns whether none is left but those of `lost` requests."""
        self.alive = False
        return self._connections <= lost

    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        self._connections += 1
        try:
            super().handle(listener, client, addr)
        finally:
            self._connections -= 1

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> bool:
        try:
            return super().handle_request(listener_name, req, sock, addr)
        except Exceeded:
            _log.warning("a request that was cut at its deadline was here", exc_info=True)
            return False


def _interrupt_greenlet() -> Callable[[], None]:
    here = gevent.getcurrent()
    return lambda: gevent.kill(here, Exceeded)


def _strike(watch: Watch, _signal: int, _frame: FrameType | None) -> None:
    if watch.strike():
        raise Exceeded
