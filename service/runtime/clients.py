"""The client of a request as its socket: answered or reset from beside the request's thread."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any
from wsgiref.types import WSGIEnvironment

from runtime.deadline import Client
from runtime.problems import Problem

# Where a server that hands over no socket leaves the client of a request.
KEY = "moorings.client"
# Where Gunicorn leaves the socket.
SOCKET = "gunicorn.socket"
# The connection of an ASGI request, where the server tells: without it none can be reset.
TRANSPORT: ContextVar[asyncio.Transport | None] = ContextVar("TRANSPORT", default=None)
_RESET = struct.pack("ii", 1, 0)
# The one of the system: gevent, which comes later, would wait for the client.
_Plain = socket.socket


class SocketClient:
    """A client on an open socket, by its descriptor, which stays the server's."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def answer(self, problem: Problem) -> None:
        """Send an answer as far as the socket takes it at once, and close."""
        lines = [f"{name}: {value}" for name, value in problem.headers]
        head = "\r\n".join([f"HTTP/1.1 {problem.status}", *lines, "Connection: close", "", ""])
        with self._socket() as client:
            client.send(head.encode("latin-1") + problem.body, socket.MSG_DONTWAIT)
            client.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Reset the connection.

        The descriptor goes on, as the request's thread may still use it: without a peer.
        """
        with self._socket() as client:
            linger(client)
            ours, peer = socket.socketpair()
            with ours:
                peer.close()
                os.dup2(ours.fileno(), self._descriptor, inheritable=False)

    @contextlib.contextmanager
    def _socket(self) -> Iterator[socket.socket]:
        # A client that has gone is all that was wanted.
        with contextlib.suppress(OSError), _Plain(fileno=os.dup(self._descriptor)) as client:
            yield client


class Taken:
    """The socket of a request that wants an upgrade: it tells when the app speaks on it."""

    _SPEAKS = frozenset(("detach", "dup", "makefile", "send", "sendall", "sendmsg"))

    def __init__(self, inner: socket.socket, tell: Callable[[], None]) -> None:
        self._inner = inner
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        if name in self._SPEAKS:
            self._tell()
        return getattr(self._inner, name)


def of(environ: WSGIEnvironment) -> Client | None:
    """Return whoever waits for the answer, where the server says how to reach it."""
    if SOCKET in environ:
        return SocketClient(environ[SOCKET].fileno())
    client: Client | None = environ.get(KEY)
    return client


def linger(client: socket.socket) -> None:
    """Let the next close of this socket be a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
