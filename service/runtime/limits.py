"""The largest request body that reaches the app."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from wsgiref.types import InputStream, StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.exceptions import RequestEntityTooLarge

from runtime import problems

_PIECE = 64 * 1024
_LINGER_SECONDS = 5.0


class BodyLimit:
    """413 at once for a body that announces more than `most` bytes, at `most` for the others."""

    def __init__(self, app: WSGIApplication, most: int) -> None:
        self._app = app
        self._most = most

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or ""
        if not length:
            return self._count(environ, start_response)
        if not length.isdecimal() or int(length) > self._most:
            return self._refuse(environ, start_response)
        return self._app(environ, start_response)

    def _count(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        stream = environ["wsgi.input"]
        counted = environ["wsgi.input"] = _Counted(stream, self._most)
        body = self._app(environ, start_response)
        return _Lingering(body, stream, self._most) if counted.passed else body

    def _refuse(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        trace_id = environ.get(problems.TRACE_ID, "")
        problem = problems.make(413, _detail(self._most), trace_id)
        body = problems.answer(problem, environ, start_response)
        return _Lingering(body, environ["wsgi.input"], self._most)


class _Lingering:
    """An answer after which the refused body is read away, within bounds.

    Most clients read no answer before they have sent everything, and a server that closes on unread
    bytes resets the connection: they would see a broken pipe in place of the 413.
    """

    def __init__(self, body: Iterable[bytes], stream: InputStream, most: int) -> None:
        self._body = body
        self._stream = stream
        self._left = 2 * most

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close:
            close()
        deadline = time.monotonic() + _LINGER_SECONDS
        # The client may have gone, or what is left is no proper body: both are its own affair.
        with contextlib.suppress(OSError, ValueError):
            while self._left > 0 and time.monotonic() < deadline:
                piece = self._stream.read(_PIECE)
                if not piece:
                    break
                self._left -= len(piece)


class _Counted:
    """A body of unknown length; the read that passes the limit raises RequestEntityTooLarge."""

    def __init__(self, stream: InputStream, most: int) -> None:
        self._stream = stream
        self._most = most
        self._left = most

    @property
    def passed(self) -> bool:
        """Whether more than the limit was read."""
        return self._left < 0

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size >= 0:
            # One byte past the limit is enough to know.
            return self._count(self._stream.read(min(size, self._left + 1)))
        return b"".join(iter(lambda: self.read(_PIECE), b""))

    def readline(self, size: int | None = -1, /) -> bytes:
        most = self._left + 1
        wanted = most if size is None or size < 0 else min(size, most)
        return self._count(self._stream.readline(wanted))

    def readlines(self, hint: int = -1, /) -> list[bytes]:
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _count(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self.passed:
            raise RequestEntityTooLarge(_detail(self._most))
        return data


def _detail(most: int) -> str:
    return f"The body is larger than the {most} bytes that are accepted here."
