"""A collector that takes everything at once and counts it: it runs on the load's core."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COUNT = "/bytes"


class _Take(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else the answer waits for the acknowledgement of its head.
    disable_nagle_algorithm = True
    taken = 0

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        _Take.taken += len(self.rfile.read(length))
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(str(_Take.taken).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def main() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Take) as server:
        print(server.server_address[1], flush=True)
        # It ends when whoever started it does.
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    main()
