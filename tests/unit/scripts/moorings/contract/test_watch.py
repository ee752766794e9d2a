"""The client that watches a deploy, against servers that answer, fail and go away."""

import time
from collections.abc import Callable

from moorings.contract.watch import Watch, running, watching

Serve = Callable[..., str]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"


def until_asked(watch: Watch) -> None:
    """Wait for three requests, which take milliseconds."""
    deadline = time.monotonic() + 5
    while watch.asked < 3 and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_good_server_has_no_failures(serve: Serve) -> None:
    with watching(serve(OK)) as watch:
        until_asked(watch)
    assert watch.asked >= 3
    assert watch.failures == []
    assert watch.bodies == {b"ok"}
    assert watch.figure == f"0 failed of {watch.asked}"


def test_an_error_status_is_a_failure(serve: Serve) -> None:
    with watching(serve(BAD)) as watch:
        until_asked(watch)
    assert len(watch.failures) == watch.asked
    assert watch.failures[0].fact == "answered 503"


def test_no_server_is_a_failure() -> None:
    with watching("http://127.0.0.1:1") as watch:
        until_asked(watch)
    assert "cannot be reached" in watch.failures[0].fact


def test_requests_under_way_at_once(serve: Serve) -> None:
    with running(serve(OK), 3, timeout=5) as under_way:
        answers = [one.result() for one in under_way]
    assert [answer.status for answer in answers] == [200, 200, 200]
