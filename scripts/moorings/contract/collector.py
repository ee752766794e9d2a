"""A collector that fails on demand: a relay before Jaeger that refuses, is silent, slow or full."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

import httpx

#: What it does with a batch: hand it on, or the faults in the order in which they are tried.
FINE, REFUSED, SILENT, SLOW, BUSY, LIMITED = "fine", "refused", "silent", "slow", "503", "429"
FAULTS = (REFUSED, SILENT, SLOW, BUSY, LIMITED)

#: Seconds that a slow one takes, and that a full one tells its clients to wait.
DELAY, RETRY_AFTER = 5.0, 1

#: Seconds after which even a silent one ends: longer than any exporter waits.
LONGEST = 60.0


#: What a client says of its batch, by names in any case.
Header = Callable[[str], str | None]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    # A refusal must be one: a queue of connections would answer for it.
    request_queue_size = 128

    def __init__(self, port: int, relay: "Relay") -> None:
        self.relay = relay
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that were gone."""


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        relay = cast(_Server, self.server).relay
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(*relay.take(self.path, self.headers.get, body))

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        with suppress(OSError):  # it had no patience
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Relay:
    """Takes batches over HTTP as `fault` says; what it takes, Jaeger gets."""

    def __init__(self, to: str) -> None:
        """Begin to listen, on a free port that stays the same.

        :param to: base address of the collector behind it.
        """
        self._to = to
        self._changed = threading.Event()
        self._server: _Server | None = None
        self._port = 0
        self.fault = FINE
        self._listen()

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self._port}"

    def become(self, fault: str) -> None:
        """Behave so from now on; what still waits for an answer gets none."""
        if fault == REFUSED:
            self._close()
        self.fault = fault
        self._changed.set()
        self._changed = threading.Event()
        if fault != REFUSED:
            self._listen()

    def take(self, path: str, header: Header, body: bytes) -> tuple[int, dict[str, str]]:
        """Return status and headers for a batch."""
        fault, changed = self.fault, self._changed
        if fault == SILENT:
            changed.wait(LONGEST)
            return 503, {}
        if fault == BUSY:
            return 503, {}
        if fault == LIMITED:
            return 429, {"Retry-After": str(RETRY_AFTER)}
        if fault == SLOW:
            changed.wait(DELAY)
        return self._hand_on(path, header, body), {}

    def _hand_on(self, path: str, header: Header, body: bytes) -> int:
        about = ("Content-Type", "Content-Encoding")
        kept: dict[str, str] = {name: text for name in about if (text := header(name))}
        url = f"{self._to}{path}"
        return httpx.post(url, content=body, headers=kept, timeout=10, trust_env=False).status_code

    def _listen(self) -> None:
        if self._server is None:
            self._server = _Server(self._port, self)
            self._port = self._server.server_port
            thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
            thread.start()

    def _close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def close(self) -> None:
        """Answer what waits, and listen no more."""
        self._changed.set()
        self._close()


@contextmanager
def relay(to: str) -> Iterator[Relay]:
    """Lend a relay to a collector for the length of a block."""
    made = Relay(to)
    try:
        yield made
    finally:
        made.close()
