"""Two servers on one address, and who gets its new connections: real sockets of this process."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from moorings import addresses, ports
from moorings.handover import Kept, Reopened


@pytest.fixture
def bind() -> str:
    return f"127.0.0.1:{ports.free('127.0.0.1')}"


@pytest.fixture
def both(bind: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The older and the newer server, as httpd opens its address."""
    with _opened(bind) as older, _opened(bind) as newer:
        yield older, newer


def _opened(bind: str) -> socket.socket:
    made = Reopened(None).opened(bind)
    made.listen(128)
    made.setblocking(False)
    return made


def _connect(bind: str, times: int = 40) -> ExitStack:
    """Open connections; with many, chance does not choose the same server for all."""
    host, _, port = bind.rpartition(":")
    stack = ExitStack()
    for _ in range(times):
        stack.enter_context(socket.create_connection((host, int(port)), timeout=5))
    return stack


def _waiting(server: socket.socket) -> int:
    count = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_without_a_word_the_kernel_deals_them_out(bind: str, both) -> None:
    with _connect(bind):
        counts = [_waiting(one) for one in both]
    assert sum(counts) == 40
    assert all(counts)


def test_the_older_one_keeps_all(bind: str, both) -> None:
    Reopened(None).stay(os.getpid(), bind)
    with _connect(bind):
        assert [_waiting(one) for one in both] == [40, 0]


def test_then_the_newer_one_gets_all(bind: str, both) -> None:
    handover = Reopened(None)
    handover.stay(os.getpid(), bind)
    handover.go(os.getpid(), bind)
    with _connect(bind):
        assert [_waiting(one) for one in both] == [0, 40]


def test_what_is_left_alone_gets_all(bind: str, both) -> None:
    older, newer = both
    Reopened(None).go(os.getpid(), bind)
    older.close()
    with _connect(bind):
        assert _waiting(newer) == 40


def test_the_next_one_of_a_row_waits_too(bind: str, both) -> None:
    """A takeover later the older server is what was the newer one."""
    first, second = both
    handover = Reopened(None)
    handover.go(os.getpid(), bind)
    first.close()
    handover.stay(os.getpid(), bind)
    with _opened(bind) as third, _connect(bind):
        assert [_waiting(second), _waiting(third)] == [40, 0]


def test_what_the_supervisor_holds_gets_no_connection(bind: str) -> None:
    with Reopened(None).opened(bind), pytest.raises(ConnectionRefusedError):
        _connect(bind, 1)


def test_nobody_else_may_have_the_address(bind: str) -> None:
    with Reopened(None).opened(bind):
        assert not addresses.need(bind).there


def test_a_kept_socket_listens(bind: str) -> None:
    with Kept(None).opened(bind) as kept, _connect(bind, 1):
        kept.setblocking(False)
        assert _waiting(kept) == 1
