"""Gunicorn's own ASGI worker, whose requests can be cut at their deadline."""

import asyncio
from typing import cast

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

from runtime.clients import TRANSPORT
from runtime.servers.pool import pool


class Protocol(ASGIProtocol):
    """One connection, which tells its requests how to reset it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        TRANSPORT.set(cast(asyncio.Transport, transport))
        super().connection_made(transport)


class Worker(gasgi.ASGIWorker):
    """Gunicorn ends it once its last connection has closed, and a lost thread holds none."""

    def retire(self, lost: int) -> bool:
        """Take no more connections, and have a thread in place of each lost one."""
        pool().replace(lost)
        self.alive = False
        return False


# The worker names the class itself, and has no seam for another one.
gasgi.ASGIProtocol = Protocol  # type: ignore[attr-defined]
