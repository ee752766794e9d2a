import socket
from pathlib import Path

import pytest

from runtime import backlog


def test_connections_that_nobody_accepts_are_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            assert backlog.waiting(f"127.0.0.1:{port}") == 1
        listener.accept()[0].close()
        assert backlog.waiting(f"127.0.0.1:{port}") == 0


@pytest.mark.parametrize("bind", ["", "unix:/run/app.sock", "127.0.0.1:1"])
def test_where_it_cannot_be_known_nothing_is_said(bind: str) -> None:
    assert backlog.waiting(bind) is None
    assert backlog.waiting("127.0.0.1:80", (Path("/nowhere"),)) is None
