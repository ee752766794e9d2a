"""What waits at a listening socket for an accept."""

import contextlib
import socket

from moorings.contract import backlog


def test_only_what_was_not_taken_is_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        address = listener.getsockname()
        assert backlog.waiting(address[1]) == 0
        for _ in range(3):
            stack.enter_context(socket.create_connection(address))
        assert backlog.waiting(address[1]) == 3
        stack.enter_context(listener.accept()[0])
        assert backlog.waiting(address[1]) == 2


def test_nothing_waits_where_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert backlog.waiting(bound.getsockname()[1]) == 0
