"""A listening socket is found by the address that the operator wrote."""

import os
import socket
from pathlib import Path

import pytest

from moorings import inherit


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_address_may_be_a_name(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        found = inherit.listener(os.getpid(), f"{host}:{port}")
        assert found is not None
        with found:
            assert found.getsockname() == listening.getsockname()


def test_a_unix_socket_is_its_path(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        found = inherit.listener(os.getpid(), f"unix:{path}")
        assert found is not None
        found.close()


def test_another_address_is_not_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert inherit.listener(os.getpid(), f"127.0.0.1:{listening.getsockname()[1] ^ 1}") is None
