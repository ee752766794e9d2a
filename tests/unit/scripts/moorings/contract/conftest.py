"""A small server on loopback that answers as a test wants it, byte by byte."""

import socketserver
import threading
from collections.abc import Callable, Iterator

import pytest

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that answers each connection with these pieces, and returns its URL."""
    servers: list[socketserver.ThreadingTCPServer] = []

    def answer(*pieces: bytes) -> str:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while self.rfile.readline() not in (b"\r\n", b""):
                    pass
                for piece in pieces:
                    self.wfile.write(piece)

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield answer
    for server in servers:
        server.shutdown()
        server.server_close()
