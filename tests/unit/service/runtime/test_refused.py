"""What a server refuses by itself has a line too."""

from collections.abc import Callable
from typing import Any

import pytest

Start = Callable[..., Any]


@pytest.mark.parametrize("kind", ["gthread", "sync", "gevent", "asgi"])
def test_a_refused_request_has_one_line(start: Start, kind: str) -> None:
    server = start(worker_class=kind, web_concurrency="1")
    server.wait_ready(1)
    response, _ = server.ask("/", headers={"X-Secret": "x" * 20_000})
    assert 400 <= response.status < 500
    lines = server.until(
        lambda: [line for line in server.lines() if line.get("refused")], "the line"
    )
    (line,) = lines
    assert (line["status"], line["client"], line["level"]) == (response.status, "127.0.0.1", "info")
    assert line["message"].startswith(f"refused by the server: {response.status} ")
    assert "xxxx" not in server.stdout()


def test_it_is_no_error_where_only_those_are_wanted(start: Start) -> None:
    server = start(web_concurrency="1", log_level="error")
    server.wait_ready(1)
    response, _ = server.ask("/", headers={"X-Secret": "x" * 20_000})
    assert 400 <= response.status < 500
    # A line of it is written before the answer.
    assert server.stdout() == ""
