"""The whole of it, on a real Gunicorn with the configuration that is deployed."""

import json
import os
import re
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from typing import Any

import pytest

from runtime.servers import gunicorn as hooks

Start = Callable[..., Any]


def test_a_service_from_its_first_request_to_its_last_span(start: Start, collector: Any) -> None:
    server = start(
        probe="1",
        ready="shop:ready",
        environment="staging",
        max_body_bytes="1000000",
        otel_traces_exporter="otlp",
        otel_exporter_otlp_endpoint=collector.url,
    )
    pids = server.wait_ready(2)
    assert server.ask("/readyz")[0].status == 200
    version = json.loads(server.ask("/version")[1])
    assert version["release"] == "r1"
    assert version["worker"] in pids
    _answers(server)
    _limits(server)
    sent = _sums(server)
    assert server.stop() < 10
    assert server.process.returncode == 0
    assert server.pids() == []
    _spans(collector, pids)
    _lines(server, sent)


def _answers(server: Any) -> None:
    assert json.loads(server.ask("/items/3")[1]) == {"number": 3}
    response, body = server.ask("/_probe/crash")
    problem = json.loads(body)
    assert (response.status, problem["status"]) == (500, 500)
    assert problem["trace_id"] in (response.getheader("traceresponse") or "")
    assert b"probe crash" not in body
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9", "X_Underscored": "1"}
    seen = json.loads(server.ask("/_probe/echo", headers=headers)[1])
    assert (seen["scheme"], seen["remote"]) == ("http", "127.0.0.1")
    assert "X-Underscored" not in seen["headers"]
    with pytest.raises(IncompleteRead):
        server.ask("/cut")


def _limits(server: Any) -> None:
    """What is too large is refused as problem JSON, and the next request works."""
    for path, headers, status in (
        ("/items/3", {"X-Long": "x" * 20_000}, 431),
        (f"/{'x' * 9_000}", {}, 414),
        ("/items/3", {"Transfer-Encoding": "chunked", "Content-Length": "3"}, 400),
    ):
        response, body = server.ask(path, headers=headers)
        assert response.status == status
        assert response.getheader("Content-Type") == "application/problem+json"
        assert json.loads(body)["status"] == status
        assert len(body) < 500
    assert server.ask("/upload", "POST", body=b"x" * 1_000_000)[1] == b'{"length":1000000}\n'
    assert server.ask("/upload", "POST", body=b"x" * 1_000_001)[0].status == 413
    pieces = (b"x" * 500_000 for _ in range(3))
    response, _ = server.ask(
        "/upload",
        "POST",
        body=pieces,
        encode_chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )
    assert response.status == 413
    client = HTTPConnection("127.0.0.1", server.port, timeout=10)
    client.request("POST", "/upload", body=b"x" * 2_000_000)
    refused = client.getresponse()
    assert (refused.status, refused.getheader("Connection")) == (413, "close")
    refused.read()
    client.request("GET", "/items/4")
    assert client.getresponse().read() == b'{"number":4}\n'
    client.close()


def _sums(server: Any) -> int:
    """The counters over both workers are what was sent, whichever worker is asked."""
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda number: server.ask(f"/items/{number}"), range(40))
        assert [response.status for response, _ in answers] == [200] * 40
    # A request is counted when its answer has ended, which its client may see first.
    server.until(lambda: _count(server) >= 42, "every request is counted")
    assert {_count(server) for _ in range(6)} == {42}
    return 42


def _count(server: Any) -> int:
    name = "http_server_request_duration_seconds_count"
    lines = server.ask("/metrics")[1].decode().splitlines()
    found = [line for line in lines if line.startswith(name) and '"/items/<int:number>"' in line]
    return int(float(found[0].rsplit(" ", 1)[1]))


def _spans(collector: Any, pids: list[int]) -> None:
    assert collector.names().count("GET /items/<int:number>") == 42
    span = collector.named("GET /items/<int:number>")
    children = [child for child in collector.spans if child.parent_span_id == span.span_id]
    statement = next(child for child in children if child.name.startswith("select"))
    found = {item.key: item.value.string_value for item in statement.attributes}
    assert found["db.system.name"] == "sqlite"
    assert found["db.query.text"] == "select ?"
    crash = collector.named("GET /_probe/crash")
    assert [event.name for event in crash.events] == ["exception"]
    _resources(collector, pids)
    # Nobody's request: what the readiness check asked the database.
    assert all(child.parent_span_id for child in collector.spans if child.name.startswith("select"))
    assert not [name for name in collector.names() if "readyz" in name or "metrics" in name]


def _resources(collector: Any, pids: list[int]) -> None:
    """Each worker is an instance of its own."""
    of = {one["process.pid"]: one["service.instance.id"] for one in collector.resources}
    assert set(of) == set(pids)
    assert len(set(of.values())) == len(pids)
    environments = {one["deployment.environment.name"] for one in collector.resources}
    assert environments == {"staging"}


def _lines(server: Any, sent: int) -> None:
    lines = server.lines()
    asked = [line for line in lines if line.get("route") == "/items/<int:number>"]
    assert len(asked) == sent
    said = {
        line["trace_id"]
        for line in lines
        if line.get("logger") == "shop" and "item" in line["message"]
    }
    assert said == {line["trace_id"] for line in asked}
    crashes = [line for line in lines if "probe crash" in line.get("exception", "")]
    cuts = [line for line in lines if "failed in the middle" in line.get("exception", "")]
    assert (len(crashes), len(cuts)) == (1, 1)
    assert server.stderr() == ""


def test_requests_that_run_are_answered_and_leave_their_spans(
    start: Start, collector: Any, tmp_path: Path
) -> None:
    server = start(otel_traces_exporter="otlp", otel_exporter_otlp_endpoint=collector.url)
    server.wait_ready(2)
    with ThreadPoolExecutor(4) as pool:
        ended = tmp_path / "ended"
        running = [pool.submit(server.ask, f"/held?until={ended}") for _ in range(4)]
        server.until(lambda: b"active_requests 4.0" in server.ask("/metrics")[1], "four run")
        server.stop_during(running, ended)
        assert [future.result()[1] for future in running] == [b"done"] * 4
    assert collector.names() == ["GET /held"] * 4


def test_a_request_longer_than_the_grace_period_is_cut(start: Start, collector: Any) -> None:
    server = start(
        graceful_timeout="2",
        web_concurrency="1",
        otel_traces_exporter="otlp",
        otel_exporter_otlp_endpoint=collector.url,
    )
    server.wait_ready(1)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /slow/60000 HTTP/1.1\r\nHost: test\r\n\r\n")
        server.ask("/items/3")
        assert server.stop() < 2 + 5
        assert client.recv(100) == b""
    assert "GET /items/<int:number>" in collector.names()


def test_a_killed_worker_leaves_no_gauge(start: Start) -> None:
    server = start(web_concurrency="1", metrics_dir="")
    (pid,) = server.wait_ready(1)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /slow/60000 HTTP/1.1\r\nHost: test\r\n\r\n")
        server.until(lambda: b"active_requests 1.0" in server.ask("/metrics")[1], "one runs")
        os.kill(pid, signal.SIGKILL)
        server.until(lambda: set(server.pids()) - {pid}, "a new worker")
    assert "http_server_active_requests 0.0" in server.ask("/metrics")[1].decode()
    name = f"moorings-metrics-{server.process.pid}-*"
    folders = [Path(folder) for folder in ("/dev/shm", tempfile.gettempdir())]
    assert sum(len(list(folder.glob(name))) for folder in folders) == 1
    server.stop()
    assert sum(len(list(folder.glob(name))) for folder in folders) == 0


@pytest.mark.parametrize(
    ("name", "value", "unit"),
    [
        ("WEB_CONCURRENCY", "0", "workers of at least 1"),
        ("MAX_BODY_BYTES", "abc", "bytes"),
    ],
)
def test_a_wrong_setting_is_one_line(start: Start, name: str, value: str, unit: str) -> None:
    server = start(**{name: value})
    assert server.process.wait(20) == 3
    words = f"{name}: should be a whole number of {unit}, not '{value}'"
    assert server.stderr() == f"moorings: {words}\n"


def test_a_wrong_app_is_one_line(start: Start) -> None:
    server = start(app="shop:ap", web_concurrency="1")
    assert server.process.wait(20) == 3
    words = "APP: module 'shop' has no attribute 'ap'; did you mean 'app'?"
    assert server.stderr() == f"moorings: {words}\n"
    assert "Traceback" not in server.stdout()


def test_a_collector_that_is_down_harms_nobody(start: Start) -> None:
    server = start(
        web_concurrency="1",
        otel_traces_exporter="otlp",
        otel_exporter_otlp_endpoint="http://127.0.0.1:9",
        otel_exporter_otlp_timeout="1",
        otel_bsp_schedule_delay="100",
    )
    server.wait_ready(1)
    assert {server.ask(f"/items/{number}")[0].status for number in range(20)} == {200}
    lost = re.compile(rb'dropped_total{exporter="otlp",reason="export_failed"} (?!0\.0)')
    server.until(lambda: bool(lost.search(server.ask("/metrics")[1])), "losses are counted")
    server.stop()
    said = [line for line in server.lines() if line.get("logger", "").startswith("opentelemetry")]
    assert 1 <= len(said) <= 3
    assert "exception" not in said[0]


@pytest.mark.parametrize("is_full", [False, True])
def test_memory_that_is_nearly_full_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_full: bool
) -> None:
    """Files that are mapped kill their writer there."""
    monkeypatch.setattr(hooks, "_MEMORY", tmp_path)
    free = shutil.disk_usage(tmp_path).free
    monkeypatch.setattr(hooks, "_LEAST_FREE", free * 2 if is_full else 1, raising=False)
    assert hooks.memory_folder() == (None if is_full else str(tmp_path))
