"""Whose connections are counted, on sockets of this very process."""

import os
import socket
from pathlib import Path

from moorings.contract import sockets


def test_what_came_to_a_listening_port_is_counted_and_what_went_out_is_not() -> None:
    before = sockets.clients(os.getpid())
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert sockets.clients(os.getpid()) == before
        with socket.create_connection(server.getsockname()) as _, server.accept()[0]:
            assert sockets.clients(os.getpid()) == before + 1


def test_unix_sockets_are_counted_too(tmp_path: Path) -> None:
    before = sockets.clients(os.getpid())
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen()
        client.connect(str(tmp_path / "s"))
        with server.accept()[0]:
            assert sockets.clients(os.getpid()) == before + 1
