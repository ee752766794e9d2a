"""Bodies under uWSGI's own HTTP, with a module `uwsgi` that plays back chunks."""

import io

import pytest

from runtime.servers.uwsgi_http import complete


class Playback:
    """Chunks as uWSGI hands them out; reading past the end is its error."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = [*chunks, b""]
        self.sent: list[bytes] = []

    def connection_fd(self) -> int:
        return 7

    def send(self, descriptor: int, data: bytes, /) -> None:
        assert descriptor == 7
        self.sent.append(data)

    def chunked_read(self, seconds: int, /) -> bytes:
        assert seconds > 0
        return self.chunks.pop(0)


def chunked(server: Playback, **more: str) -> dict:
    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": io.BytesIO(), **more}
    complete(environ, server)
    return environ


def test_a_chunked_body_is_read_whole_and_ends() -> None:
    environ = chunked(Playback(b"one ", b"two"))
    assert environ["wsgi.input_terminated"] is True
    assert environ["wsgi.input"].read() == b"one two"
    assert environ["wsgi.input"].read() == b""


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_chunks_larger_than_what_is_asked_for_lose_nothing(size: int) -> None:
    stream = chunked(Playback(b"x" * 20_000, b"y"))["wsgi.input"]
    assert b"".join(iter(lambda: stream.read(size), b"")) == b"x" * 20_000 + b"y"


def test_chunks_win_over_a_length() -> None:
    environ = chunked(Playback(b"all of it"), CONTENT_LENGTH="3")
    assert "CONTENT_LENGTH" not in environ
    assert environ["wsgi.input"].read() == b"all of it"


def test_a_client_that_waits_is_told_to_go_on_once_when_the_body_is_wanted() -> None:
    server = Playback()
    body = io.BytesIO(b"after you")
    environ = {"HTTP_EXPECT": "100-Continue", "CONTENT_LENGTH": "9", "wsgi.input": body}
    complete(environ, server)
    assert server.sent == []
    assert environ["wsgi.input"].read(5) == b"after"
    assert environ["wsgi.input"].read() == b" you"
    assert server.sent == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_any_other_request_is_left_alone() -> None:
    stream = io.BytesIO(b"body")
    environ = {"CONTENT_LENGTH": "4", "wsgi.input": stream}
    complete(environ, Playback())
    assert environ == {"CONTENT_LENGTH": "4", "wsgi.input": stream}
