"""One request and its answer: its span, its head, and a clean 500 for what the app lets out.

The lean way: one light object is start_response, the body's iterator and the span's owner at once.
"""

import errno
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from opentelemetry import context as contexts
from opentelemetry import propagate

from runtime import clients, conventions, current, frameworks, problems, records
from runtime.deadline import Exceeded
from runtime.records import Signals

KEY = "moorings.exchange"
_log = logging.getLogger("runtime")
_NOBODY = contexts.Context()
_NO_PIECES: Iterator[bytes] = iter(())
_NO_ENVIRON: WSGIEnvironment = {}


class Exchange:
    """One request and its answer, from when a worker takes it up to close()."""

    __slots__ = (
        "_body", "_context", "_environ", "_head", "_headers", "_pieces", "_respond", "_signals",
        "_started", "_status", "_traceresponse", "_watch", "address", "bytes", "complete", "error",
        "finished", "method", "path", "route", "span", "span_id", "status", "taken", "trace_id",
    )  # fmt: skip

    def __init__(
        self, signals: Signals, environ: WSGIEnvironment, start_response: StartResponse
    ) -> None:
        self._started = time.perf_counter()
        self._signals = signals
        self._respond = start_response
        self._environ = environ
        self._body: Iterable[bytes] = ()
        self._pieces = _NO_PIECES
        self._status = ""
        self._headers: list[tuple[str, str]] | None = None
        self.complete = self.finished = self.taken = False
        self.status = self.bytes = 0
        self.route = self.error = ""
        self.method = conventions.method(environ)
        self.path = conventions.path(environ)
        self.address = environ.get("REMOTE_ADDR", "")
        # Whoever takes this may send the answer's head: this request, or what cuts it.
        self._head = threading.Lock()
        self._begin(environ)
        client = clients.of(environ) if signals.watch else None
        # Only where a cut can be said is there something to watch.
        self._watch = signals.watch if client else None
        if self._watch and client:
            self._watch.enter(self, client)
        if "HTTP_UPGRADE" in environ and clients.SOCKET in environ:
            environ[clients.SOCKET] = clients.Taken(environ[clients.SOCKET], self.take)

    def _begin(self, environ: WSGIEnvironment) -> None:
        signals = self._signals
        signals.metrics.begin()
        parent = _NOBODY
        for key in signals.headers:
            if key in environ:
                parent = propagate.extract(environ, parent, conventions.GETTER)
                break
        describe = functools.partial(
            conventions.attributes, environ, self.method, self.path, signals.server
        )
        self.span = signals.begin(self.method, parent, describe)
        if signals.captured and self.span.is_recording():
            self.span.set_attributes(signals.captured.of(environ))
        # What trace.set_span_in_context does, without a copy of a copy.
        self._context = contexts.Context({**parent, current.SPAN: self.span})
        trace_id, span_id, _, flags, _, is_valid = self.span.get_span_context()
        # One text, of which the ids are parts.
        said = f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}" if is_valid else ""
        self._traceresponse, self.trace_id, self.span_id = said, said[3:35], said[36:52]
        environ[problems.TRACE_ID] = self.trace_id
        environ[KEY] = self

    def run(self, app: WSGIApplication, environ: WSGIEnvironment) -> "Exchange":
        """Call the app; what it answers is read through this object."""
        token = current.attach(self._context)
        try:
            self._call(app, environ)
        except BaseException as error:
            # Nobody will call close(): the answer is cut, or the server ends this worker.
            self._broke_off(error)
            self._finish()
            raise
        finally:
            current.detach(token)
        return self

    def _call(self, app: WSGIApplication, environ: WSGIEnvironment) -> None:
        try:
            self._body = app(environ, self.start_response)
            self._pieces = iter(self._body)
        except Exception as error:
            if self.taken and isinstance(error, StopIteration):
                # How a session of WebSocket ends on Gunicorn: all is said, by the app itself.
                self.complete = True
                raise
            self._pieces = iter((self._fail(error),))

    def take(self) -> None:
        """Leave the socket to the app, which upgrades it: nobody cuts it, or answers on it."""
        if self.taken:
            return
        self.taken = True
        self._head.acquire(blocking=False)
        self.status = self.status or 101
        self.route = frameworks.route(self._environ)
        if self._watch and self._watch.leave(self):
            self._watch = None

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        """Keep the answer's head until its first piece: till then an error may still replace it."""
        if exc_info and self._begun():
            raise exc_info[1].with_traceback(exc_info[2])
        if self._status and not exc_info:
            raise AssertionError("start_response was called twice")
        self._status, self._headers = status, headers
        self.status = int(status[:3])
        # Flask forgets the route when it leaves the request, which is before the first piece.
        self.route = frameworks.route(self._environ)
        return self._write

    def _write(self, data: bytes, /) -> object:
        """WSGI's old imperative way to answer."""
        write = self._commit()
        self.bytes += len(data)
        return write(data) if write else None

    def _begun(self) -> bool:
        return self._headers is None and self.status != 0

    def _commit(self) -> Callable[[bytes], object] | None:
        """Hand the answer's head to the server, once."""
        if self._headers is None:
            return None
        if not self._head.acquire(blocking=False):
            raise ConnectionResetError(errno.ECONNRESET, "answer cut: upgraded, or too late")
        headers = [*self._headers, *self._trace_headers()]
        self._headers = None
        try:
            return self._respond(self._status, headers)
        except Exception as error:
            # A header that the server refuses: it answers 500 itself.
            self.note(error)
            self.status = 500
            raise

    def _trace_headers(self) -> tuple[tuple[str, str], ...]:
        return (("traceresponse", self._traceresponse),) if self._traceresponse else ()

    def __iter__(self) -> "Exchange":
        return self

    def __next__(self) -> bytes:
        token = current.attach(self._context)
        try:
            piece = next(self._pieces, None)
            if not self.status:
                raise AssertionError("the application did not call start_response")
        except Exception as error:
            piece = self._fail(error)
        except BaseException as error:
            self._broke_off(error)
            raise
        finally:
            current.detach(token)
        self.complete = piece is None
        if self._headers is not None:
            self._commit()
        if piece is None:
            raise StopIteration
        self.bytes += len(piece)
        return piece

    def _fail(self, error: Exception) -> bytes:
        """Log, record and answer what left the app; an answer that has begun is cut instead."""
        problem = problems.of(error, self.trace_id)
        expected = not problem.status.startswith("5")
        if not expected:
            self.note(error)
            _log.error("%s %s failed", self.method, self.path, exc_info=error)
        if self._begun():
            # Servers take this for a client that went: they close, and don't log it once more.
            raise ConnectionResetError(errno.ECONNRESET, "answer cut: the app failed") from error
        self._status, self._headers = problem.status, problem.headers
        self.status = int(problem.status[:3])
        self._pieces = iter(())
        return b"" if self.method == "HEAD" else problem.body

    def _broke_off(self, error: BaseException) -> None:
        """Note what no handler of an app catches, such as SystemExit or a timeout of gevent's.

        What ends a request from outside is no error of its: its deadline, or a worker's end.
        """
        outside = isinstance(error, (Exception, Exceeded)) or self.finished
        if outside or type(error).__name__ == "GreenletExit":
            return
        self.note(error)
        if not self._begun():
            self.status = 500

    def note(self, error: BaseException) -> None:
        """Record an exception of the app on the span, once."""
        if not self.error:
            self.route = self.route or frameworks.route_left_by(error)
            self.error = type(error).__qualname__
            if self.span.is_recording():
                self.span.add_event("exception", records.told(error))

    def close(self) -> None:
        """Called by the server when it is done, also when the client went before the end."""
        token = current.attach(self._context)
        try:
            close = getattr(self._body, "close", None)
            if close:
                close()
        except Exception as error:
            self.note(error)
            _log.error("%s %s failed after its answer", self.method, self.path, exc_info=error)
        finally:
            current.detach(token)
            self._finish()

    def _finish(self) -> None:
        cut = self._watch and not self._watch.leave(self)
        if not cut and not self.finished:
            self._record()
        # The environment names this object: left so, all of a request would be the garbage
        # collector's to find.
        self._environ, self._body, self._pieces = _NO_ENVIRON, (), _NO_PIECES

    def look(self) -> None:
        """Note the route, which the app forgets when it is left."""
        self.route = self.route or frameworks.route_seen_from_outside(self._environ)

    def cut(self, seconds: int) -> problems.Problem | None:
        """End a request that runs too long, from another thread; its own finds it ended.

        Returns the answer to send, or None where the app's own has begun.
        """
        self.note(TimeoutError(f"not answered within {seconds} s"))
        mine = self._head.acquire(blocking=False)
        if mine:
            self.status = 504
            self.look()
        self._record()
        return self._timed_out(seconds) if mine else None

    def _timed_out(self, seconds: int) -> problems.Problem:
        detail = f"The application did not answer within {seconds} s."
        problem = problems.make(504, detail, self.trace_id, self._trace_headers())
        return problem._replace(body=b"") if self.method == "HEAD" else problem

    def _record(self) -> None:
        self.finished = True
        seconds = time.perf_counter() - self._started
        failure = self.error or (str(self.status) if self.status >= 500 else "")
        # A proxy may hand on whatever a client says of it.
        scheme = conventions.SCHEMES.get(self._environ.get("wsgi.url_scheme"), conventions.OTHER)
        about = (self.method, scheme, self.route, self.status, failure)
        self._signals.metrics.end(about, seconds)
        records.end_span(self, failure)
        records.write_line(self, self._signals.lines, seconds)
