"""What uWSGI leaves to the app: limits, and by HTTP chunked bodies and Expect: 100-continue."""

import io
from collections.abc import Callable
from typing import Any, Protocol
from wsgiref.types import WSGIEnvironment

from runtime import problems

# What a request has at most, the server's own variables, some forty, included.
_MOST_VARIABLES = 140
# The longest header, and the longest URL, as under Gunicorn.
_LONGEST = 8190
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


def refusal(environ: WSGIEnvironment, http: bool) -> problems.Problem | None:
    """Return the answer to what no client of ours sends, where this is such a request.

    :param http: whether nothing in front has seen to the rest.
    """
    if len(environ) > _MOST_VARIABLES:
        return problems.make(431, "There are more headers than are accepted here.")
    if not http:
        return None
    if len(environ.get("REQUEST_URI", "")) > _LONGEST:
        return problems.make(414, "The URL is longer than what is accepted here.")
    values = [value for value in environ.values() if isinstance(value, str)]
    if max(map(len, values)) > _LONGEST:
        return problems.make(431, "A header is larger than what is accepted here.")
    # uWSGI takes a name with a space for another one, and joins two hosts to one.
    odd = any("\0" in value for value in values) or "," in environ.get("HTTP_HOST", "")
    if odd or any(" " in name for name in environ):
        return problems.make(400, "A header is written in a way that is not accepted here.")
    return _framing(environ)


def _framing(environ: WSGIEnvironment) -> problems.Problem | None:
    """Refuse a body of two lengths, or of none that is known (RFC 9112, section 6.3)."""
    coding, length = environ.get("HTTP_TRANSFER_ENCODING"), environ.get("CONTENT_LENGTH", "")
    if coding is not None and (length or coding.lower() != "chunked"):
        return problems.make(400, "The body is framed in a way that is not accepted here.")
    if length and not (length.isascii() and length.isdecimal()):
        return problems.make(400, "Content-Length is no number.")
    return None


def scheme(environ: WSGIEnvironment) -> str:
    """Return the scheme of the connection to the server before the app, as that server says it.

    uWSGI's own answer is that of X-Forwarded-Proto and X-Forwarded-SSL, whoever sends them:
    `core/protocol.c`. What a client says has a name that begins with HTTP_.
    """
    said = environ.get("UWSGI_SCHEME", "")
    return said or ("https" if environ.get("HTTPS", "").lower() in ("on", "1") else "http")


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
