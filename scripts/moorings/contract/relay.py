"""A bad gateway on loopback: what a control puts between client and app."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from moorings.contract.tamper import Front

#: Seconds without a byte after which a relay gives up.
IDLE = 30.0

#: Seconds without a byte after which an answer counts as complete: a gateway that buffers
#: waits for longer than a stream pauses, one that closes only for the rest of a short answer.
LONG, SHORT = 1.0, 0.1


@dataclass(frozen=True)
class Faults:
    """What is wrong with it."""

    buffers: bool = False
    """Keeps an answer until it is complete."""
    closes: bool = False
    """Closes after each answer, and says so to nobody."""
    drops_chunks: bool = False
    """Takes chunked bodies for no body, as gateways of HTTP/1.0 do."""
    forgets: bytes = b""
    """What it leaves out of answers."""


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, app: str, faults: Faults) -> None:
        parts = urlsplit(app)
        self.app = (parts.hostname or "", parts.port or 80)
        self.faults = faults
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = cast(_Server, self.server)
        client = cast(socket.socket, self.request)
        with socket.create_connection(server.app, IDLE) as app:
            client.settimeout(IDLE)
            back = threading.Thread(target=_answers, args=(app, client, server.faults), daemon=True)
            back.start()
            _requests(client, app, server.faults)
            back.join()


def _requests(client: socket.socket, app: socket.socket, faults: Faults) -> None:
    """Carry bytes to the app until the client has no more."""
    with contextlib.suppress(OSError):
        while data := client.recv(65536):
            if faults.drops_chunks:
                data = data.replace(b"Transfer-Encoding: chunked", b"X-Transfer: chunked")
            app.sendall(data)
        app.shutdown(socket.SHUT_WR)


def _answers(app: socket.socket, client: socket.socket, faults: Faults) -> None:
    """Carry bytes to the client as the faults have it, until the app has no more."""
    kept = b""
    waits = faults.buffers or faults.closes
    app.settimeout((LONG if faults.buffers else SHORT) if waits else IDLE)
    with contextlib.suppress(OSError):
        for data in _received(app):
            kept += data.replace(faults.forgets, b"") if faults.forgets else data
            if not kept or (waits and data):
                continue
            client.sendall(kept)
            kept = b""
            if faults.closes:
                break
        client.sendall(kept)
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)


def _received(app: socket.socket) -> Iterator[bytes]:
    """Yield what comes; nothing where it is quiet."""
    while True:
        try:
            data = app.recv(65536)
        except TimeoutError:
            yield b""
            continue
        if not data:
            return
        yield data


def gateway(**faults: Any) -> Front:
    """Return a front with these faults: from the app's URL to the gateway's."""

    @contextmanager
    def front(app: str) -> Iterator[str]:
        with _Server(app, Faults(**faults)) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
            thread.start()
            yield f"http://127.0.0.1:{server.server_address[1]}"
            server.shutdown()
            thread.join()

    return front
