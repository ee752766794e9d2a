"""The bad gateway of the controls, between the contract's client and a small server."""

from collections.abc import Callable

import pytest

from moorings.contract import wire
from moorings.contract.relay import gateway
from moorings.contract.wire import ClosedError, Connection

Serve = Callable[..., str]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_without_faults_it_changes_nothing(serve: Serve) -> None:
    with gateway()(serve(OK, again=True)) as url, Connection(url) as connection:
        assert [connection.ask("GET", "/").body for _ in range(3)] == [b"ok"] * 3


def test_one_that_buffers_gives_all_pieces_at_once(serve: Serve) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    app = serve(head, b"1\r\na\r\n", b"1\r\nb\r\n", b"0\r\n\r\n")
    with gateway(buffers=True)(app) as url:
        answer = wire.ask(url)
    assert answer.body == b"ab"
    assert answer.pieces[-1][0] - answer.pieces[0][0] < 0.1


def test_one_that_closes_ends_keep_alive(serve: Serve) -> None:
    with gateway(closes=True)(serve(OK, again=True)) as url, Connection(url) as connection:
        assert connection.ask("GET", "/").body == b"ok"
        with pytest.raises(ClosedError):
            connection.ask("GET", "/")


def test_one_that_drops_chunks_hides_how_the_body_is_framed(echo: str) -> None:
    with gateway(drops_chunks=True)(echo) as url:
        seen = wire.ask(url, "POST", body=iter([b"a", b"b"])).body
    assert b"X-Transfer: chunked" in seen
    assert b"Transfer-Encoding" not in seen
