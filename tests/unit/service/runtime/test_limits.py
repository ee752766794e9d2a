import hashlib
import io
from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.test import create_environ

from runtime.limits import BodyLimit


def reader(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [])
    return [hashlib.sha256(body).hexdigest().encode()]


def lazy(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield environ["wsgi.input"].read()


class Endless(io.RawIOBase):
    """A body that never ends, and counts what was taken of it."""

    taken = 0

    def read(self, size: int = -1, /) -> bytes:
        assert size >= 0, "the whole of an endless body was asked for"
        self.taken += size
        return b"x" * size


def chunked(body: Any) -> WSGIEnvironment:
    """A request without a length, whose end the server marks."""
    environ = create_environ("/", method="POST")
    return environ | {"CONTENT_LENGTH": ""} | {"wsgi.input": body, "wsgi.input_terminated": True}


def test_a_body_within_the_limit_arrives_whole(layer: Any) -> None:
    response = layer.ask(BodyLimit(reader, 10), "/", method="POST", data=b"0123456789")
    assert response.text == hashlib.sha256(b"0123456789").hexdigest()


def test_a_body_that_announces_too_much_is_not_read(layer: Any) -> None:
    response = layer.ask(BodyLimit(reader, 10), "/", method="POST", data=b"01234567890")
    (span,) = layer.spans()
    assert response.status_code == 413
    assert response.json["detail"] == "The body is larger than the 10 bytes that are accepted here."
    assert response.json["trace_id"] == f"{span.context.trace_id:032x}"


def test_a_refused_body_is_read_away_within_bounds(layer: Any) -> None:
    body = Endless()
    environ = create_environ("/", method="POST") | {"CONTENT_LENGTH": "999999", "wsgi.input": body}
    answer = layer.around(BodyLimit(reader, 100_000))(environ, lambda *_: print)
    assert b'"status": 413' in b"".join(answer)
    assert body.taken == 0
    answer.close()
    assert 200_000 <= body.taken < 300_000


@pytest.mark.parametrize("app", [reader, lazy])
def test_a_body_without_a_length_is_cut_at_the_limit(layer: Any, app: Any) -> None:
    body = Endless()
    response = layer.ask(BodyLimit(app, 1000), "/", environ_overrides=chunked(body))
    assert response.status_code == 413
    assert response.content_type == "application/problem+json"
    assert body.taken == 1001
    assert [line["status"] for line in layer.log.lines()] == [413]


@pytest.mark.parametrize(
    "read",
    [
        lambda body: body.read(),
        lambda body: body.read(5000),
        lambda body: body.readline(),
        lambda body: body.readlines(),
        lambda body: list(body),
    ],
)
def test_each_way_to_read_is_counted(read: Any) -> None:
    seen: list[Any] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(environ["wsgi.input"])
        return []

    BodyLimit(app, 1000)(chunked(io.BytesIO(b"x" * 2000)), lambda *_: print)
    with pytest.raises(RequestEntityTooLarge):
        read(seen[0])


def test_lines_and_pieces_of_a_small_body() -> None:
    seen: list[Any] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(environ["wsgi.input"])
        return []

    BodyLimit(app, 1000)(chunked(io.BytesIO(b"one\ntwo\nthree")), lambda *_: print)
    assert seen[0].readline() == b"one\n"
    assert seen[0].readline(2) == b"tw"
    assert seen[0].read(2) == b"o\n"
    assert list(seen[0]) == [b"three"]
    assert seen[0].read() == b""
