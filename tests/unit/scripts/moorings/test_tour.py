"""The tour says what an app answered, and is never a traceback."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from moorings import tour
from moorings.errors import MoorError


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """Serve one connection with a fixed answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threads: list[threading.Thread] = []

        def serve(answer: bytes) -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        def start(answer: bytes) -> str:
            threads.append(threading.Thread(target=serve, args=(answer,)))
            threads[0].start()
            return f"http://127.0.0.1:{server.getsockname()[1]}"

        yield start
        for thread in threads:
            thread.join(timeout=10)


def test_a_page_is_a_step(answering: Callable[[bytes], str]) -> None:
    trace = b"traceresponse: 00-0123-45-01\r\n"
    walk = tour.any_app(
        answering(b"HTTP/1.1 404 Not Found\r\n" + trace + b"Content-Length: 0\r\n\r\n")
    )
    assert walk == tour.Walk(["GET / answered 404"], "0123")


def test_an_error_of_the_app_is_no_step(answering: Callable[[bytes], str]) -> None:
    walk = tour.any_app(answering(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"))
    assert walk.steps == []
    assert walk.odd.startswith("GET / answered 500")


def test_no_answer_is_said_in_one_line(answering: Callable[[bytes], str]) -> None:
    with pytest.raises(MoorError, match=r"^tour: GET /: .*disconnected"):
        tour.any_app(answering(b""))
