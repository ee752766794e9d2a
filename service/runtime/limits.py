"""The largest request body that reaches the app."""

from collections.abc import Iterable, Iterator
from wsgiref.types import InputStream, StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.exceptions import RequestEntityTooLarge

from runtime import problems

_PIECE = 64 * 1024


class BodyLimit:
    """413 at once for a body that announces more than `most` bytes, at `most` for the others."""

    def __init__(self, app: WSGIApplication, most: int) -> None:
        self._app = app
        self._most = most

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or ""
        if not length:
            environ["wsgi.input"] = _Counted(environ["wsgi.input"], self._most)
        elif not length.isdecimal() or int(length) > self._most:
            return self._refuse(environ, start_response)
        return self._app(environ, start_response)

    def _refuse(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        trace_id = environ.get(problems.TRACE_ID, "")
        problem = problems.make(413, _detail(self._most), trace_id)
        return problems.answer(problem, environ, start_response)


class _Counted:
    """A body of unknown length; the read that passes the limit raises RequestEntityTooLarge."""

    def __init__(self, stream: InputStream, most: int) -> None:
        self._stream = stream
        self._most = most
        self._left = most

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
        if self._left < 0:
            raise RequestEntityTooLarge(_detail(self._most))
        return data


def _detail(most: int) -> str:
    return f"The body is larger than the {most} bytes that are accepted here."
