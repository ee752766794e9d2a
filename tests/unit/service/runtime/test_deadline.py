"""A request that hangs is cut, and costs nobody else anything."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

Start = Callable[..., Any]


@pytest.fixture(params=["gthread", "sync", "gevent", "asgi"])
def kind(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def server(start: Start, collector: Any, kind: str) -> Any:
    return start(
        worker_class=kind,
        web_concurrency="1",
        threads="2",
        probe="1",
        request_deadline="1",
        otel_traces_exporter="otlp",
        otel_exporter_otlp_endpoint=collector.url,
    )


def _is_timed_out(answer: Any) -> bool:
    response, body = answer
    named = json.loads(body)["trace_id"] in (response.getheader("traceresponse") or "")
    return named and (response.status, response.getheader("Connection")) == (504, "close")


def test_what_hangs_is_cut_and_nothing_else(server: Any, collector: Any, kind: str) -> None:
    (pid,) = server.wait_ready(1)
    assert _is_timed_out(server.ask("/spin"))
    with pytest.raises(ConnectionResetError):
        server.ask("/_probe/stream/100/0.1")
    if kind == "gevent":
        assert _is_timed_out(server.ask("/_probe/hang"))
    # All have left their threads, so there is no need for another worker.
    assert json.loads(server.ask("/version")[1])["worker"] == pid
    _hang(server, 0 if kind == "sync" else 2)
    server.until(lambda: set(server.pids()) - {pid}, "another worker")
    assert server.ask("/items/1")[0].status == 200
    span = collector.named("GET /stubborn")
    assert span.status.code == span.status.STATUS_CODE_ERROR
    assert {"GET /spin", "GET /_probe/stream/<int:pieces>/<seconds>"} <= set(collector.names())


def _hang(server: Any, neighbours: int) -> None:
    """Lose every thread; requests that wait for one get another in its place."""
    with ThreadPoolExecutor(4) as pool:
        hung = [pool.submit(server.ask, "/stubborn") for _ in range(neighbours or 1)]
        others = [pool.submit(server.ask, "/slow/900") for _ in range(neighbours)]
        assert all(_is_timed_out(future.result()) for future in hung)
        assert [future.result()[1] for future in others] == [b"done"] * neighbours
