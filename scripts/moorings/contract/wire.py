"""A plain HTTP/1.1 client that hides nothing: framing, interim answers, the time of each piece.

h11 does the parsing and refuses what the standard forbids (RFC 9112); nothing is retried.
"""

import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

import h11

from moorings import addresses
from moorings.contract.outcome import CheckFailed

Body = bytes | Iterable[bytes]


class WireError(CheckFailed):
    """What a plain client without retries calls an error."""


class RefusedError(WireError):
    """Nobody listens."""


class ClosedError(WireError):
    """The other side closed before the answer was complete; tells whether a byte came."""


class LateError(WireError):
    """No byte came within the time."""


@dataclass
class Answer:
    """An answer, and the request that it answers."""

    method: str
    url: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    """By lower-case name; repeated ones joined by a comma."""
    body: bytes = b""
    interim: tuple[int, ...] = ()
    """Status codes of the 1xx answers before it."""
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    """Each piece of the body with its monotonic time of arrival."""
    began: float = 0.0
    ended: float = 0.0

    @property
    def type(self) -> str:
        """The media type without its parameters."""
        return self.headers.get("content-type", "").split(";")[0].strip()

    def describe(self) -> str:
        """Return request and answer, in a few lines."""
        lines = [f"> {self.method} {self.url}", f"< {self.status or 'no answer'}"]
        lines += [f"< {name}: {value}" for name, value in self.headers.items()]
        return "\n".join([*lines, self.body[:500].decode("utf-8", "replace")]).rstrip()


class Connection:
    """One connection, used for one request after another."""

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        """Connect.

        :param timeout: seconds for the connection and for each single read.
        :raises RefusedError: where nobody listens.
        """
        parts = urlsplit(url)
        self.base = f"{parts.scheme}://{parts.netloc}"
        path = addresses.socket_path(url)
        self.host = "localhost" if path else parts.netloc
        self._http = h11.Connection(h11.CLIENT)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            if path:
                self.socket = _unix(path, timeout)
                return
            self.socket = socket.create_connection((parts.hostname or "", port), timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if parts.scheme == "https":
                context = ssl.create_default_context()
                self.socket = context.wrap_socket(self.socket, server_hostname=parts.hostname)
        except OSError as problem:
            raise RefusedError(f"{self.base} cannot be reached: {problem}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    @property
    def reusable(self) -> bool:
        """Tell whether another request may follow: nobody has announced a close."""
        return h11.MUST_CLOSE not in (self._http.our_state, self._http.their_state)

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: Body = b""
    ) -> Answer:
        """Send a request and read its answer to the end.

        :param body: as a whole, with its length; or pieces, which are sent as chunks.
        :raises WireError: saying what went wrong.
        """
        answer = self.send(method, path, headers, body)
        return self.read(answer)

    def send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: Body = b""
    ) -> Answer:
        """Send a request and return its answer, which is yet to be read."""
        answer = self.head(method, path, _framed(headers, body, method))
        for piece in (body,) if isinstance(body, bytes) else body:
            if piece:
                self._write(self._http.send(h11.Data(data=piece)), answer)
        self.end(answer)
        return answer

    def head(self, method: str, path: str, headers: Mapping[str, str]) -> Answer:
        """Send only the head of a request; its body is the caller's."""
        answer = Answer(method, self.base + path, began=time.monotonic())
        if not self.reusable:
            raise ClosedError("the server closes this connection, as it announced", answer)
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        lines = [("Host", self.host), *headers.items()]
        self._write(self._http.send(h11.Request(method=method, target=path, headers=lines)), answer)
        return answer

    def piece(self, data: bytes, answer: Answer) -> None:
        """Send a piece of the body."""
        self._write(self._http.send(h11.Data(data=data)), answer)

    def end(self, answer: Answer) -> None:
        """Say that the request is complete."""
        self._write(self._http.send(h11.EndOfMessage()), answer)

    def read(self, answer: Answer, *, final: bool = True) -> Answer:
        """Read the answer to its end; only its interim part where not `final`."""
        while not self._advance(answer):
            if answer.interim and not final:
                break
        return answer

    def begin(self, answer: Answer) -> Answer:
        """Read the answer to the first piece of its body."""
        while not answer.pieces and not self._advance(answer):
            pass
        return answer

    def _advance(self, answer: Answer) -> bool:
        """Take in what comes next; tell whether it was the end."""
        event = self._next(answer)
        if isinstance(event, h11.InformationalResponse):
            answer.interim = (*answer.interim, event.status_code)
        elif isinstance(event, h11.Response):
            _start(answer, event)
        elif isinstance(event, h11.Data):
            answer.pieces.append((time.monotonic(), bytes(event.data)))
        else:
            _finish(answer)
            return True
        return False

    def closed(self, within: float) -> bool:
        """Tell whether the other side closes an idle connection cleanly: an end, not a reset."""
        self.socket.settimeout(within)
        try:
            return not self._http.trailing_data[0] and self.socket.recv(1) == b""
        except TimeoutError:
            return False
        except OSError as problem:
            raise ClosedError(f"an idle connection to {self.base} was reset: {problem}") from None

    def _write(self, data: bytes | None, answer: Answer) -> None:
        try:
            self.socket.sendall(data or b"")
        except TimeoutError:
            raise LateError("the server stopped reading the request", answer) from None
        except OSError:
            # The server may have answered and closed before it read all: the answer says why.
            return

    def _next(self, answer: Answer) -> h11.Event | type[h11.PAUSED]:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(self._receive(answer))
        except h11.RemoteProtocolError as problem:
            raise ClosedError(f"not a complete HTTP answer: {problem}", answer) from None
        if isinstance(event, h11.ConnectionClosed):
            raise ClosedError("closed before a byte of the answer", answer)
        return event  # type: ignore[return-value]

    def _receive(self, answer: Answer) -> bytes:
        try:
            return self.socket.recv(65536)
        except TimeoutError:
            wait = self.socket.gettimeout() or 0
            raise LateError(f"no byte within {wait:.0f} s", answer) from None
        except OSError as problem:
            when = "cut in the middle" if answer.status else "reset before a byte"
            raise ClosedError(f"{when}: {problem}", answer) from None


def _unix(path: str, timeout: float) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(timeout)
    try:
        made.connect(path)
    except OSError:
        made.close()
        raise
    return made


def ask(
    url: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: Body = b"",
    timeout: float = 10.0,
) -> Answer:
    """Send one request on a connection of its own.

    :raises WireError: saying what went wrong.
    """
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with Connection(url, timeout) as connection:
        return connection.ask(method, path, {"Connection": "close", **(headers or {})}, body)


def _framed(headers: Mapping[str, str] | None, body: Body, method: str) -> dict[str, str]:
    given = dict(headers or {})
    if not isinstance(body, bytes):
        return {**given, "Transfer-Encoding": "chunked"}
    if body or method in ("POST", "PUT", "PATCH"):
        return {"Content-Length": str(len(body)), **given}
    return given


def _start(answer: Answer, event: h11.Response) -> None:
    answer.status = event.status_code
    for name, value in event.headers:
        key, text = name.decode("ascii").lower(), value.decode("latin-1")
        answer.headers[key] = f"{answer.headers[key]}, {text}" if key in answer.headers else text


def _finish(answer: Answer) -> None:
    answer.body = b"".join(data for _, data in answer.pieces)
    answer.ended = time.monotonic()
