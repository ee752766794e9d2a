"""The client that hides nothing, against answers that are right and wrong."""

import socket
from collections.abc import Callable

import pytest

from moorings.contract import wire
from moorings.contract.wire import ClosedError, Connection, LateError, RefusedError

Serve = Callable[..., str]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Twice: a\r\nX-Twice: b\r\n\r\nok"


def test_an_answer_is_read_whole(serve: Serve) -> None:
    answer = wire.ask(serve(OK))
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.headers["x-twice"] == "a, b"
    assert answer.ended >= answer.began


def test_chunks_and_interim_answers(serve: Serve) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = wire.ask(serve(b"HTTP/1.1 103 Early Hints\r\n\r\n", head, b"1\r\na\r\n0\r\n\r\n"))
    assert answer.interim == (103,)
    assert answer.body == b"a"


def test_an_answer_that_has_begun_can_be_left_and_taken_up_again() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with listener, Connection(url) as connection:
        answer = connection.send("GET", "/")
        server, _ = listener.accept()
        with server:
            server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\non")
            assert [data for _, data in connection.begin(answer).pieces] == [b"on"]
            server.sendall(b"ly")
            assert connection.read(answer).body == b"only"


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(RefusedError, match="cannot be reached"):
            wire.ask(url)


def test_closed_before_a_byte(serve: Serve) -> None:
    with pytest.raises(ClosedError, match=r"not a complete HTTP answer|before a byte"):
        wire.ask(serve())


def test_cut_in_the_middle_shows_what_came(serve: Serve) -> None:
    url = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour")
    with pytest.raises(ClosedError, match="not a complete HTTP answer") as caught:
        wire.ask(url)
    assert "< 200" in caught.value.exchange


def test_no_byte_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(LateError, match="no byte within 0 s"):
            wire.ask(url, timeout=0.1)


def test_a_body_on_head_puts_the_next_answer_out_of_step(serve: Serve) -> None:
    with Connection(serve(OK, OK)) as connection:
        assert connection.ask("HEAD", "/").status == 200
        with pytest.raises(ClosedError, match="not a complete HTTP answer"):
            connection.ask("GET", "/")


def test_an_announced_close_is_kept(serve: Serve) -> None:
    closing = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with Connection(serve(closing)) as connection:
        connection.ask("GET", "/")
        with pytest.raises(ClosedError, match="closes this connection"):
            connection.ask("GET", "/")


def test_an_idle_connection_that_is_closed(serve: Serve) -> None:
    with Connection(serve(OK)) as connection:
        connection.ask("GET", "/")
        assert connection.closed(within=2)


def test_an_idle_connection_that_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Connection(url) as connection:
            assert not connection.closed(within=0.05)
