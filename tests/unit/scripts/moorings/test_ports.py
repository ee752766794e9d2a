"""A taken port is named with who has it."""

import os
import socket

from moorings import ports


def test_a_taken_port_names_its_holder_and_the_next_step() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        need = ports.need("127.0.0.1", port)
    assert not need.there
    assert f"port {port} on 127.0.0.1 is taken by " in need.what
    assert f"process {os.getpid()}" in need.what
    assert f"PORT={port + 1}" in need.how


def test_a_port_that_was_just_closed_is_free() -> None:
    assert ports.is_free("127.0.0.1", ports.free("127.0.0.1"))


def test_an_address_that_is_not_ours_is_said() -> None:
    need = ports.need("192.0.2.1", 8000)  # RFC 5737: of documentation, of no machine
    assert need.what.startswith("nothing can listen on 192.0.2.1: ")
