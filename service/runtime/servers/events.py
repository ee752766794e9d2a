"""Gunicorn's own ASGI worker, whose requests can be cut at their deadline."""

import asyncio
import sys
from typing import Any, cast

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

from runtime.clients import TRANSPORT
from runtime.servers import refused
from runtime.servers.drain import drain
from runtime.servers.pool import pool

# A request that was sent just before its connection may close must have arrived.
_MARGIN_SECONDS = 1.0


class Protocol(ASGIProtocol):
    """One connection, which tells its requests how to reset it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        TRANSPORT.set(cast(asyncio.Transport, transport))
        super().connection_made(transport)

    def _send_error_response(self, status: int, *about: Any, **more: Any) -> None:
        peer = self.transport.get_extra_info("peername") if self.transport else None
        refused.note(status, str(peer[0]) if isinstance(peer, tuple) else "")
        super()._send_error_response(status, *about, **more)  # type: ignore[misc]


class Worker(gasgi.ASGIWorker):
    """Gunicorn ends it once its last connection has closed, and a lost thread holds none.

    From then on it closes each connection after its answer, so the answers must say so.
    """

    _answered = 0
    _last = sys.maxsize

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Gunicorn ends at this number at once, when its answer has not announced the close.
        self._last, self.max_requests = self.max_requests, sys.maxsize

    @property
    def nr(self) -> int:
        """How many requests it has answered; Gunicorn counts."""
        return self._answered

    @nr.setter
    def nr(self, number: int) -> None:
        self._answered = number
        if number == self._last:
            self.log.info("worker has answered its %d requests and announces its end", number)
            drain().begin()
            # Idle clients are answered once more.
            loop = asyncio.get_running_loop()
            loop.call_later(self.cfg.keepalive + _MARGIN_SECONDS, self.handle_exit_signal)

    def handle_exit_signal(self) -> None:
        drain().begin()
        super().handle_exit_signal()

    def retire(self, lost: int) -> bool:
        """Take no more connections, and have a thread in place of each lost one."""
        pool().replace(lost)
        self.handle_exit_signal()
        return False


# The worker names the class itself, and has no seam for another one.
gasgi.ASGIProtocol = Protocol  # type: ignore[attr-defined]
