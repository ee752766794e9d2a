"""A request that hangs is cut, and costs nobody else anything."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

Start = Callable[..., Any]


@pytest.fixture(params=["gthread", "sync"])
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


@pytest.mark.parametrize("kind", ["sync"])
def test_a_hung_request_is_answered_and_its_worker_replaced(server: Any, collector: Any) -> None:
    (old,) = server.wait_ready(1)
    assert _is_timed_out(server.ask("/_probe/hang"))
    server.until(lambda: set(server.pids()) - {old}, "another worker")
    assert server.ask("/items/1")[0].status == 200
    span = collector.named("GET /_probe/hang")
    assert span.status.code == span.status.STATUS_CODE_ERROR


@pytest.mark.parametrize("kind", ["gthread"])
def test_neighbours_of_hung_requests_are_answered(server: Any, collector: Any) -> None:
    (old,) = server.wait_ready(1)
    with ThreadPoolExecutor(4) as pool:
        hung = [pool.submit(server.ask, "/_probe/hang") for _ in range(2)]
        # No thread is free for these, till there are some in the place of the lost ones.
        others = [pool.submit(server.ask, "/slow/900") for _ in range(2)]
        assert all(_is_timed_out(future.result()) for future in hung)
        assert [future.result()[1] for future in others] == [b"done"] * 2
    server.until(lambda: set(server.pids()) - {old}, "another worker")
    assert collector.names().count("GET /_probe/hang") == 2
    assert collector.names().count("GET /slow/<int:milliseconds>") == 2


def test_a_loop_and_a_stream_are_ended_in_their_worker(server: Any, collector: Any) -> None:
    (pid,) = server.wait_ready(1)
    assert _is_timed_out(server.ask("/spin"))
    with pytest.raises(ConnectionResetError):
        server.ask("/_probe/stream/100/0.1")
    # Both have left their threads, so there is no need for another worker.
    assert json.loads(server.ask("/version")[1])["worker"] == pid
    server.stop()
    assert {"GET /spin", "GET /_probe/stream/<int:pieces>/<seconds>"} <= set(collector.names())
