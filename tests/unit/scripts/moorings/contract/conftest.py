"""A server on loopback that answers as a test wants it, and a database with rows of orders."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from io import BufferedIOBase

import pytest

from moorings.contract.customers import Order
from moorings.target import Instance

Serve = Callable[..., str]


def _listen(handler: type[socketserver.BaseRequestHandler]) -> socketserver.ThreadingTCPServer:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


def _url(server: socketserver.ThreadingTCPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


def _head(stream: BufferedIOBase) -> bytes:
    """Read a request up to its empty line."""
    read = b""
    while (line := stream.readline()) not in (b"\r\n", b""):
        read += line
    return read


class Echo(socketserver.StreamRequestHandler):
    """Answers with the head of the request."""

    def handle(self) -> None:
        """Answer one request."""
        head = _head(self.rfile)
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(head), head))


@pytest.fixture
def echo() -> Iterator[str]:
    """Return the URL of a server that answers with the head of the request."""
    with _listen(Echo) as server:
        yield _url(server)
        server.shutdown()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that answers with these pieces, and returns its URL."""
    servers: list[socketserver.ThreadingTCPServer] = []

    def answer(*pieces: bytes, again: bool = False) -> str:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while _head(self.rfile):
                    for piece in pieces:
                        self.wfile.write(piece)
                    if not again:
                        return

        servers.append(_listen(Handler))
        return _url(servers[-1])

    yield answer
    for server in servers:
        server.shutdown()
        server.server_close()


BOUGHT = [Order("c1", "k1", "n1"), Order("c2", "k2", "n2")]


class Database:
    """A target whose database, past the app, has these rows of orders."""

    def __init__(self, *rows: list[str]) -> None:
        self._rows = list(rows)

    def rows(self, query: str) -> list[list[str]]:
        return self._rows

    def database(self) -> "Database":
        return self

    def process(self) -> int:
        raise NotImplementedError

    def data_in(self, folder: object) -> dict[str, object]:
        raise NotImplementedError

    def restart(self) -> None:
        raise NotImplementedError

    def instances(self) -> list[Instance]:
        return []
