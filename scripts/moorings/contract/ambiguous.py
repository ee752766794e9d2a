"""Requests whose end two servers could see in two places, and what a server makes of them.

Where a server in front and one behind disagree, a client can slip a request past the first one
(RFC 9112, section 11.2).
"""

import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from moorings.contract.load_plan import loopback

#: What a server that misjudges the end would take for the next request.
NEXT = b"GET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n"

#: Seconds to wait for an answer or a close, and for another answer after the first.
PATIENCE, QUIET = 3.0, 0.4

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


def _post(fields: bytes, body: bytes, version: bytes = b"1.1") -> bytes:
    return b"POST /healthz HTTP/%s\r\nHost: a\r\n%s\r\n%s" % (version, fields, body)


def _chunked(body: bytes) -> bytes:
    return _post(b"Transfer-Encoding: chunked\r\n", body)


#: By what is wrong with them: each must be refused.
REFUSED: Mapping[str, bytes] = {
    "two lengths": _post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello" + NEXT),
    "a list of lengths": _post(b"Content-Length: 5, 6\r\n", b"hello" + NEXT),
    "a length and chunks": _post(
        b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + NEXT
    ),
    "chunks and a length": _post(
        b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", b"0\r\n\r\n" + NEXT
    ),
    "chunked twice": _post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n" + NEXT),
    "chunked, then something": _post(
        b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + NEXT
    ),
    "an unknown coding": _post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + NEXT),
    "a tab of another kind": _post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n" + NEXT),
    "a space before the colon": _post(b"Content-Length : 5\r\n", b"hello" + NEXT),
    "a space before the colon of chunks": _post(
        b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + NEXT
    ),
    "a space in a name": _post(b"Content Length: 5\r\n", b"hello" + NEXT),
    "a length below nothing": _post(b"Content-Length: -5\r\n", b"hello" + NEXT),
    "a length with a sign": _post(b"Content-Length: +5\r\n", b"hello" + NEXT),
    "a length in hexadecimal": _post(b"Content-Length: 0x5\r\n", b"hello" + NEXT),
    "a length with a space": _post(b"Content-Length: 5 5\r\n", b"hello" + NEXT),
    "a length in other digits": _post(b"Content-Length: \xd9\xa5\r\n", b"hello" + NEXT),
    "a line without a colon": _post(b"Content-Length 5\r\n", b"hello" + NEXT),
    "a zero byte in a value": _post(b"X-Value: a\x00b\r\nContent-Length: 5\r\n", b"hello" + NEXT),
    "no version that exists": b"GET /healthz HTTP/1.1.1\r\nHost: a\r\n\r\n" + NEXT,
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + NEXT,
}

#: The same within a body: an app may have answered before it came to that.
CUT: Mapping[str, bytes] = {
    "a chunk of no size": _chunked(b"g\r\nhello\r\n0\r\n\r\n" + NEXT),
    "a chunk below nothing": _chunked(b"-5\r\nhello\r\n0\r\n\r\n" + NEXT),
    "a chunk's size with 0x": _chunked(b"0x5\r\nhello\r\n0\r\n\r\n" + NEXT),
    "a chunk longer than it says": _chunked(b"5\r\nhello!\r\n0\r\n\r\n" + NEXT),
}

#: What may be read in one way or be refused, and never in two.
ONCE: Mapping[str, bytes] = {
    # Whoever counts in 64 bits reads 5.
    "a chunk's size beyond all": _chunked(b"1" + b"0" * 16 + b"5\r\nhello\r\n0\r\n\r\n" + NEXT),
    "a bare LF before a length": _post(b"X-Value: a\nContent-Length: 5\r\n", b"hello"),
    "a bare CR before a length": _post(b"X-Value: a\rContent-Length: 5\r\n", b""),
    "a line that is folded": _post(b"X-Value: a\r\n Content-Length: 5\r\n", b""),
    "an empty chunk's extension": _chunked(b"0;a=b\nc\r\n\r\n"),
}


@dataclass(frozen=True)
class Seen:
    """What came back for one of them."""

    sent: bytes
    came: bytes
    closed: bool

    @property
    def statuses(self) -> list[int]:
        """The status of each answer."""
        return [int(status) for status in _STATUS.findall(self.came)]

    @property
    def refused(self) -> bool:
        """Tell whether it is the end of the connection, with at most one answer that says no."""
        answers = self.statuses
        return self.closed and (not answers or (len(answers) == 1 and _is_refusal(answers[0])))

    def describe(self) -> str:
        """Return what was sent and what came."""
        ending = "closed" if self.closed else "left open"
        return f"> {self.sent!r}\n< {self.came[:600]!r}\n< {ending}"

    @property
    def cut(self) -> bool:
        """Tell whether it is the end of the connection, and what follows got no answer."""
        return self.closed and self.once

    @property
    def once(self) -> bool:
        """Tell whether what follows got no answer, or one that says no: what is left of a body."""
        return all(map(_is_refusal, self.statuses[1:]))


def _is_refusal(status: int) -> bool:
    # Of 4xx those that speak of the request's form: a 404 or a 405 has understood it.
    return status in (400, 411, 413, 414, 431, 501, 505)


def send(url: str, raw: bytes) -> Seen:
    """Send the bytes, and read until the end, or until nothing more comes."""
    with socket.create_connection(loopback(url), PATIENCE) as connection:
        connection.sendall(raw)
        came, deadline = b"", time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            connection.settimeout(min(left, QUIET) if came and not _asks(came) else left)
            try:
                data = connection.recv(65536)
            except TimeoutError:
                if came:
                    break
                continue
            except ConnectionResetError:
                return Seen(raw, came, closed=True)
            if not data:
                return Seen(raw, came, closed=True)
            came += data
    return Seen(raw, came, closed=False)


def _asks(came: bytes) -> bool:
    """Tell whether the close that a refusal announced may still come."""
    return b"connection: close" in came.lower()
