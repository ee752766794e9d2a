"""Requests at a fixed rate, whatever the answers take: `python -m bench.steady URL RATE SECONDS`.

wrk waits for each answer before it asks again, so that what stalls is asked less often. Times are
those from the moment at which a request was due.
"""

import json
import selectors
import socket
import sys
import time
from urllib.parse import urlsplit

from bench.stats import percentile

_PIECE = 65536
_PATIENCE = 5.0


class Asked:
    """One request on its way."""

    def __init__(self, sock: socket.socket, due: float) -> None:
        self.sock = sock
        self.due = due
        self.got = b""

    def done(self) -> bool | None:
        """Read on; True once the answer is whole, None where it never will be."""
        try:
            piece = self.sock.recv(_PIECE)
        except OSError:
            return None
        self.got += piece
        if self._whole():
            return True
        return False if piece else None

    def _whole(self) -> bool:
        head, gap, body = self.got.partition(b"\r\n\r\n")
        _, _, length = head.lower().partition(b"content-length:")
        if not gap or not length:
            return False
        return len(body) >= int(length.split(b"\r\n", 1)[0])

    @property
    def is_right(self) -> bool:
        """Whether the answer is a good one."""
        return self.got.startswith(b"HTTP/1.1 200")

    @property
    def stays_open(self) -> bool:
        """Whether the server keeps the connection."""
        return b"connection: close" not in self.got.partition(b"\r\n\r\n")[0].lower()


class Steady:
    """Asks one page at fixed moments, on connections that are kept where the server keeps them."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
        self._asked = selectors.DefaultSelector()
        self._idle: list[socket.socket] = []
        self.seconds: list[float] = []
        self.failed = 0

    def run(self, rate: float, seconds: float) -> None:
        """Ask `rate` times a second."""
        began = time.perf_counter()
        for number in range(int(rate * seconds)):
            due = began + number / rate
            self._read(due)
            self._ask(due)
        self._read(time.perf_counter() + _PATIENCE, wants_all=True)
        self.failed += len(self._asked.get_map())

    def _ask(self, due: float) -> None:
        sock = self._idle.pop() if self._idle else socket.create_connection(self._address)
        sock.sendall(self._request)
        self._asked.register(sock, selectors.EVENT_READ, Asked(sock, due))

    def _read(self, until: float, wants_all: bool = False) -> None:
        """Take answers until the next request is due, and once where it is late."""
        left = until - time.perf_counter()
        while not wants_all or self._asked.get_map():
            for key, _ in self._asked.select(max(0.0, left)):
                self._take(key.data)
            if (left := until - time.perf_counter()) <= 0:
                break

    def _take(self, asked: Asked) -> None:
        done = asked.done()
        if done is False:
            return
        self._asked.unregister(asked.sock)
        if done and asked.is_right:
            self.seconds.append(time.perf_counter() - asked.due)
        else:
            self.failed += 1
        if done and asked.stays_open:
            self._idle.append(asked.sock)
        else:
            asked.sock.close()


def main() -> None:
    url, rate, seconds = sys.argv[1:]
    steady = Steady(url)
    steady.run(float(rate), float(seconds))
    p99 = percentile(steady.seconds, 0.99) * 1000 if steady.seconds else 0.0
    print(json.dumps({"p99_ms": p99, "failed": steady.failed, "count": len(steady.seconds)}))


if __name__ == "__main__":
    main()
