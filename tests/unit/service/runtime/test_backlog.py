import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from runtime import backlog


@pytest.fixture
def others() -> int:
    """What this process listens at besides."""
    return backlog.waiting() or 0


def _unix(stack: ExitStack) -> tuple[socket.socket, str]:
    # A path of a socket has 108 bytes at most: that of a test's folder may be longer.
    path = str(Path(stack.enter_context(tempfile.TemporaryDirectory()), "socket"))
    listener = stack.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(path)
    listener.listen(8)
    return listener, path


def test_connections_that_nobody_accepts_are_counted(others: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()):
            assert backlog.waiting() == others + 1
        listener.accept()[0].close()
        assert backlog.waiting() == others


def test_those_of_a_unix_socket_are_counted_too(others: int) -> None:
    with ExitStack() as stack:
        listener, path = _unix(stack)
        for _ in range(3):
            stack.enter_context(socket.socket(socket.AF_UNIX)).connect(path)
        assert backlog.waiting() == others + 3
        listener.accept()[0].close()
        assert backlog.waiting() == others + 2


def test_both_are_added(others: int) -> None:
    with ExitStack() as stack:
        _, path = _unix(stack)
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        stack.enter_context(socket.create_connection(server.getsockname()))
        stack.enter_context(socket.socket(socket.AF_UNIX)).connect(path)
        assert backlog.waiting() == others + 2


def test_sockets_of_others_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        _, path = _unix(stack)
        stack.enter_context(socket.socket(socket.AF_UNIX)).connect(path)
        monkeypatch.setattr(backlog, "_sockets", lambda: iter(()))
        assert backlog.waiting() is None


def test_where_it_cannot_be_known_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "_OPEN", Path("/nowhere"))
    assert backlog.waiting() is None
