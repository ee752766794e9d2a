"""The relay that adds distance changes when bytes come, and nothing else."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from moorings import ports
from moorings.contract import wire
from moorings.contract.delay import delayed
from moorings.contract.load import running
from moorings.contract.load_plan import Group, Plan
from moorings.contract.load_wire import Kind
from moorings.errors import UsageError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Serve = Callable[..., str]


@contextmanager
def pair(round_trip: float = 0.1) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield both ends of one connection through the relay: the client's and the server's."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        delayed(f"http://127.0.0.1:{listener.getsockname()[1]}", round_trip) as url,
        socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), 10) as client,
    ):
        server, _ = listener.accept()
        server.settimeout(10)
        with server:
            yield client, server


def whole(end: socket.socket, length: int) -> bytes:
    read = b""
    while len(read) < length and (data := end.recv(65536)):
        read += data
    return read


def test_a_round_trip_takes_longer(serve: Serve) -> None:
    with delayed(serve(OK, again=True), 0.2) as url, wire.Connection(url) as connection:
        for _ in range(2):
            answer = connection.ask("GET", "/")
            assert answer.body == b"ok"
            assert answer.ended - answer.began >= 0.2


def test_much_is_carried_whole_and_in_order_both_ways() -> None:
    sent = b"".join(number.to_bytes(4, "big") for number in range(1_000_000))
    with pair(0.02) as (client, server):
        for source, sink in ((client, server), (server, client)):
            thread = threading.Thread(target=source.sendall, args=(sent,), daemon=True)
            thread.start()
            assert whole(sink, len(sent)) == sent
            thread.join(10)


def test_pieces_do_not_wait_for_each_other() -> None:
    with pair(0.4) as (client, server):
        began = time.monotonic()
        for piece in (b"a", b"b", b"c"):
            client.sendall(piece)
        assert whole(server, 3) == b"abc"
        assert time.monotonic() - began >= 0.2


def test_a_half_closed_connection_goes_on_the_other_way() -> None:
    with pair() as (client, server):
        client.sendall(b"last")
        client.shutdown(socket.SHUT_WR)
        assert whole(server, 5) == b"last"
        server.sendall(b"answer")
        assert whole(client, 6) == b"answer"
        server.close()
        assert client.recv(1) == b""


def test_what_comes_before_a_reset_is_carried_too() -> None:
    with pair() as (client, server):
        server.sendall(b"answer")
        assert whole(client, 6) == b"answer"
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_reset_of_the_client_reaches_the_server() -> None:
    with pair() as (client, server):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        with pytest.raises(ConnectionResetError):
            server.recv(1)


def test_writing_to_one_who_has_closed_ends_in_a_reset() -> None:
    with pair() as (client, server):
        server.close()
        client.sendall(b"more")
        assert client.recv(1) == b""
        deadline = time.monotonic() + 10
        with pytest.raises((ConnectionResetError, BrokenPipeError)):  # noqa: PT012
            while time.monotonic() < deadline:
                client.sendall(b"more")
                time.sleep(0.01)


def test_nobody_behind_it_is_an_error() -> None:
    nowhere = f"http://127.0.0.1:{ports.free('127.0.0.1')}"
    with delayed(nowhere) as url, pytest.raises(wire.WireError):
        wire.ask(url)


def test_it_ends_with_connections_open() -> None:
    with contextlib.ExitStack() as stack:
        client, _server = stack.enter_context(pair())
        client.sendall(b"on its way")


def test_it_stays_on_this_machine() -> None:
    with pytest.raises(UsageError, match="loopback only"), delayed("http://192.0.2.1"):
        pass


def test_distance_shows_a_close_without_notice(serve: Serve) -> None:
    # The server closes right after its answer: at a distance every client has written again.
    plan = {"groups": (Group("one", clients=1, pause=0.0),), "requests": 4, "race": 20.0}
    with delayed(serve(OK), 0.2) as url, running(Plan(url, **plan)) as load:  # type: ignore[arg-type]
        load.wait(4)
    report = load.stop()
    assert report.counts[Kind.RACE] + report.quiet_closes >= 2
