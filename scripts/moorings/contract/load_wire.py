"""One connection of the load generator: names what a plain client would only call an error.

Unlike `wire.Connection` it blocks nobody, so that one thread holds many; h11 parses here too.
"""

import asyncio
from enum import StrEnum

import h11

from moorings.contract.wire import Answer


class Kind(StrEnum):
    """What is wrong with a request that failed."""

    REFUSED = "refused"
    RESET = "closed before a byte"
    RACE = "closed on reuse"
    """The keep-alive race: the close was under way when the request was written."""
    CUT = "cut in the middle"
    LATE = "timed out"
    GARBLED = "not HTTP"
    STATUS = "status >= 500"
    BODY = "wrong body"
    RELEASE = "wrong release"


class Failed(Exception):
    """A request failed; keeps how, and what came of its answer."""

    def __init__(self, kind: Kind, came: str) -> None:
        """Keep both."""
        super().__init__(came)
        self.kind = kind
        self.came = came


class Channel(asyncio.Protocol):
    """A connection that carries one request after another, never two at once."""

    def __init__(self) -> None:
        """Wait for the connection."""
        self.answered = 0
        self.closed = False
        self.stray = b""
        """What came although nothing was asked."""
        self.touched = False
        """Whether a byte of the current answer has come."""
        self._http = h11.Connection(h11.CLIENT)
        self._answer = Answer("", "")
        self._body: list[bytes] = []
        self._end: asyncio.Future[Answer] | None = None

    @property
    def announced(self) -> bool:
        """Tell whether one of the two sides has said that it closes after this answer."""
        return h11.MUST_CLOSE in (self._http.our_state, self._http.their_state)

    @property
    def reusable(self) -> bool:
        """Tell whether another request may be written."""
        return not self.closed and not self.announced

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    async def ask(self, request: h11.Request, body: bytes) -> Answer:
        """Send a request and return its answer, whole.

        :raises Failed: where none came, or not all of it.
        """
        if self.stray:
            raise Failed(Kind.GARBLED, f"bytes that nobody asked for: {self.stray[:80]!r}")
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        self.touched, self._body = False, []
        self._answer = Answer(request.method.decode("ascii"), request.target.decode("ascii"))
        self._end = asyncio.get_running_loop().create_future()
        self._transport.write(self._written(request, body))
        return await self._end

    def _written(self, request: h11.Request, body: bytes) -> bytes:
        parts = [self._http.send(request)]
        parts += [self._http.send(h11.Data(data=body))] if body else []
        parts += [self._http.send(h11.EndOfMessage())]
        return b"".join(part or b"" for part in parts)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._end is None or self._end.done():
            self.stray += data
            return
        self.touched = True
        self._http.receive_data(data)
        self._parse(Kind.GARBLED)

    def eof_received(self) -> None:
        """See the other side's clean end: it completes an answer without a length."""
        self.closed = True
        if self._end is not None and not self._end.done() and self.touched:
            self._http.receive_data(b"")
            self._parse(Kind.CUT)

    def connection_lost(self, exc: Exception | None) -> None:
        """See the end of the connection, and of what was under way on it."""
        self.closed = True
        self._fail(Kind.CUT if self.touched else Kind.RESET, str(exc or "closed"))

    def close(self) -> None:
        """Close in order: what is under way has been answered."""
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def came(self) -> str:
        """Return what has come of the current answer, in one line."""
        got = b"".join(self._body)
        if not self._answer.status:
            return "some bytes, no whole head" if self.touched else "not a byte"
        return f"{self._answer.status}, {len(got)} bytes of its body: {got[:80]!r}"

    def _parse(self, wrong: Kind) -> None:
        try:
            while self._take(self._http.next_event()):
                pass
        except h11.RemoteProtocolError as problem:
            self._fail(wrong, str(problem))
            self.abort()

    def _take(self, event: object) -> bool:
        """Take an event; tell whether another may follow."""
        if isinstance(event, h11.Data):
            self._body.append(bytes(event.data))
        elif isinstance(event, h11.Response):
            self._answer.status = event.status_code
            self._answer.headers = _headers(event)
        elif isinstance(event, h11.EndOfMessage):
            self._finish()
            return False
        elif isinstance(event, h11.ConnectionClosed):
            self._fail(Kind.CUT, "closed")
        return event not in (h11.NEED_DATA, h11.PAUSED) and not isinstance(
            event, h11.ConnectionClosed
        )

    def _finish(self) -> None:
        self._answer.body = b"".join(self._body)
        self.answered += 1
        self.stray, _ = self._http.trailing_data
        if self._end is not None and not self._end.done():
            self._end.set_result(self._answer)

    def _fail(self, kind: Kind, problem: str) -> None:
        if self._end is not None and not self._end.done():
            self._end.set_exception(Failed(kind, f"{problem}; came: {self.came()}"))


def _headers(event: h11.Response) -> dict[str, str]:
    """Return them by lower-case name, as h11 gives it; of repeated ones the last."""
    return {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
