"""Bodies under uWSGI's own HTTP, with a module `uwsgi` that plays back chunks."""

import io

import pytest

from runtime.servers.uwsgi_http import complete, refusal, scheme


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


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "3"}, 400),
        ({"HTTP_TRANSFER_ENCODING": "gzip, chunked"}, 400),
        ({"HTTP_TRANSFER_ENCODING": ""}, 400),
        ({"CONTENT_LENGTH": "+3"}, 400),
        ({"CONTENT_LENGTH": "3, 3"}, 400),
        ({"HTTP_CONTENT_LENGTH ": "3"}, 400),
        ({"HTTP_X_VALUE": "a\0b"}, 400),
        ({"HTTP_HOST": "a, b"}, 400),
        ({"HTTP_X_LONG": "x" * 8191}, 431),
        ({f"HTTP_X_{number}": "1" for number in range(141)}, 431),
        ({"REQUEST_URI": "/" * 8191}, 414),
    ],
)
def test_what_no_client_of_ours_sends_is_refused(environ: dict, status: int) -> None:
    problem = refusal(environ, http=True)
    assert problem is not None
    assert problem.status.startswith(str(status))


@pytest.mark.parametrize(
    ("environ", "http"),
    [
        ({"HTTP_TRANSFER_ENCODING": "Chunked", "CONTENT_LENGTH": ""}, True),
        ({"CONTENT_LENGTH": "3", "HTTP_X_LONG": "x" * 8190}, True),
        # nginx says how a body came that it hands over whole.
        ({"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "3"}, False),
    ],
)
def test_what_clients_send_is_not(environ: dict, http: bool) -> None:
    assert refusal(environ, http) is None


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


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_SSL": "on"}, "http"),
        ({"HTTP_HTTPS": "on", "HTTP_UWSGI_SCHEME": "https"}, "http"),
        ({"HTTPS": "on"}, "https"),
        ({"HTTPS": ""}, "http"),
        ({"UWSGI_SCHEME": "https"}, "https"),
    ],
)
def test_no_client_chooses_the_scheme(environ: dict, expected: str) -> None:
    assert scheme({**environ, "wsgi.url_scheme": "https"}) == expected
