"""What uWSGI leaves to the app where it speaks HTTP: chunked bodies, Expect: 100-continue."""

import io
from collections.abc import Callable
from typing import Any, Protocol
from wsgiref.types import WSGIEnvironment

_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
# What a client may take for its next chunk.
_CHUNK_SECONDS = 30


class Server(Protocol):
    """The module `uwsgi`, as far as it is needed; it speaks of this thread's request."""

    def connection_fd(self) -> int:
        """Return the descriptor of the client's connection."""

    def send(self, descriptor: int, data: bytes, /) -> object:
        """Write to a connection."""

    def chunked_read(self, seconds: int, /) -> bytes:
        """Return the next chunk of the body, empty at its end."""


def complete(environ: WSGIEnvironment, server: Server) -> None:
    """Give the app a body that it can read whatever way it comes."""
    chunked = "HTTP_TRANSFER_ENCODING" in environ
    waits = environ.get("HTTP_EXPECT", "").lower() == "100-continue"
    if not chunked and not waits:
        return
    read = _chunks(server) if chunked else environ["wsgi.input"].read
    environ["wsgi.input"] = io.BufferedReader(Body(read, server if waits else None))
    if chunked:
        environ["wsgi.input_terminated"] = True
        # Where both are there, the length is a lie (RFC 9112, section 6.3).
        environ.pop("CONTENT_LENGTH", None)


class Body(io.RawIOBase):
    """A body by pieces of at most the size asked for; a client that waits is told to go on."""

    def __init__(self, read: Callable[[int], bytes], waiting: Server | None) -> None:
        super().__init__()
        self._read = read
        self._waiting = waiting

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        server, self._waiting = self._waiting, None
        if server:
            server.send(server.connection_fd(), _GO_ON)
        piece = self._read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def _chunks(server: Server) -> Callable[[int], bytes]:
    left, ended = b"", False

    def read(size: int) -> bytes:
        nonlocal left, ended
        if not left and not ended:
            left = server.chunked_read(_CHUNK_SECONDS)
            ended = not left
        piece, left = left[:size], left[size:]
        return piece

    return read
