"""The other classes of workers keep what the threaded one promises."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

Start = Callable[..., Any]


@pytest.fixture(params=["sync", "gevent", "asgi"])
def kind(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def server(start: Start, kind: str, collector: Any, tmp_path: Path) -> Any:
    started = start(
        worker_class=kind,
        drain_file=str(tmp_path / "drain"),
        otel_traces_exporter="otlp",
        otel_exporter_otlp_endpoint=collector.url,
    )
    started.wait_ready(2)
    return started


def test_nothing_is_lost_at_a_stop(server: Any, kind: str, collector: Any, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        asked = pool.map(lambda number: server.ask(f"/items/{number}"), range(40))
        assert [response.status for response, _ in asked] == [200] * 40
        server.until(lambda: _sum(server, "request_duration_seconds_count") == 40, "the sum")
        (tmp_path / "drain").touch()
        server.until(lambda: _says_close(server), "the announcement")
        # A sync worker has one request at a time.
        ended, number = tmp_path / "ended", 2 if kind == "sync" else 4
        running = [pool.submit(server.ask, f"/held?until={ended}") for _ in range(number)]
        server.until(lambda: _sum(server, "active_requests") == len(running), "all run")
        server.stop_during(running, ended)
        assert [future.result()[1] for future in running] == [b"done"] * len(running)
    assert collector.names().count("GET /items/<int:number>") == 40
    assert collector.names().count("GET /held") == len(running)
    assert (server.process.returncode, server.pids(), server.stderr()) == (0, [], "")
    assert [line["message"] for line in server.lines() if line["level"] != "info"] == []


def _says_close(server: Any) -> bool:
    response, _ = server.ask("/version")
    return bool(response.getheader("Connection") == "close")


def _sum(server: Any, name: str) -> float:
    """Read a sum over the workers from its files: all workers may be at work."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(server.ready_dir.with_name("metrics")))
    found = [family.samples for family in registry.collect()]
    whole = f"http_server_{name}"
    return sum(sample.value for group in found for sample in group if sample.name == whole)
