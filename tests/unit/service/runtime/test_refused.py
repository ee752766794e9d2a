"""What a server refuses by itself has a line too."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

Start = Callable[..., Any]


LONG = b"x" * 20_000
#: What no worker takes for a request of the app's.
RAW = {
    431: b"GET / HTTP/1.1\r\nHost: a\r\nX-Secret: %s\r\n\r\n" % LONG,
    414: b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % LONG,
    400: b"GET / HTTP/1.1\r\nHost: a\r\nX Secret: xxxx\r\n\r\n",
}


def sent(port: int, raw: bytes) -> int:
    """Send what a client would not; return the status of the answer."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(raw)
        return int(client.recv(4096).split()[1])


@pytest.mark.parametrize("kind", ["gthread", "sync", "gevent", "asgi"])
def test_a_refused_request_has_one_line(start: Start, kind: str) -> None:
    server = start(worker_class=kind, web_concurrency="1", max_body_bytes="1000")
    server.wait_ready(1)
    for status, raw in RAW.items():
        assert sent(server.port, raw) == status
        (line,) = server.until(lambda status=status: _of(server, status), f"the line of {status}")
        assert line["refused"]
        assert (line["client"], line["level"]) == ("127.0.0.1", "info")
        assert line["message"].startswith(f"refused by the server: {status} ")
    # The runtime refuses this one, whose line is that of any request.
    head = b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n"
    assert sent(server.port, head) == 413
    (line,) = server.until(lambda: _of(server, 413), "the line of 413")
    assert (line["path"], line["client"]) == ("/upload", "127.0.0.1")
    assert "xxxx" not in server.stdout()


def _of(server: Any, status: int) -> list[dict[str, Any]]:
    return [line for line in server.lines() if line.get("status") == status]


def test_it_is_no_error_where_only_those_are_wanted(start: Start) -> None:
    server = start(web_concurrency="1", log_level="error")
    server.wait_ready(1)
    response, _ = server.ask("/", headers={"X-Secret": "x" * 20_000})
    assert 400 <= response.status < 500
    # A line of it is written before the answer.
    assert server.stdout() == ""
