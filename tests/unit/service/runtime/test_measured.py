"""Metrics by OTLP, from real workers to a collector."""

from collections.abc import Callable
from typing import Any

import pytest

Start = Callable[..., Any]


@pytest.mark.parametrize("kind", ["gthread", "gevent"])
def test_each_worker_sends_its_own_and_the_last_at_its_end(
    start: Start, collector: Any, kind: str
) -> None:
    server = start(
        worker_class=kind,
        otel_metrics_exporter="otlp",
        otel_metric_export_interval="200",
        commit="c1",
        otel_exporter_otlp_endpoint=collector.url,
        otel_traces_exporter="otlp",
    )
    server.wait_ready(2)
    assert {server.ask(f"/items/{number}")[0].status for number in range(30)} == {200}
    server.until(lambda: server.ask("/nowhere")[0].status == 404, "an unknown path")
    # At its end a worker no longer has the address.
    server.until(lambda: len(collector.of("moorings.connections.waiting")) == 2, "both queues")
    server.stop()
    points = collector.of("http.server.request.duration")
    items = [point for point in points if _said(point).get("http.route")]
    assert sum(point.count for point in items) == 30
    assert _said(items[0]) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/items/<int:number>",
        "url.scheme": "http",
    }
    assert list(items[0].explicit_bounds)[:3] == [0.005, 0.01, 0.025]
    assert sum(point.as_double for point in collector.of("http.server.active_requests")) == 0
    assert collector.of("db.client.connection.count")
    assert collector.of("otel.spans.dropped")
    # Numbers of workers come as whole ones.
    for name in ("moorings.workers", "moorings.worker.starts"):
        assert [point.as_int for point in collector.of(name)] == [1, 1]
    waiting = collector.of("otel.spans.waiting")
    assert (len(waiting), sum(point.as_double for point in waiting)) == (2, 0)
    build = {"release": "r1", "commit": "c1", "server": "gunicorn-gthread"}
    assert [_said(point) for point in collector.of("moorings.build.info")] == [build, build]
    said = [line for line in server.lines() if line["level"] not in ("info", "debug")]
    assert said == []


def _said(point: Any) -> dict[str, Any]:
    return {item.key: item.value.string_value or item.value.int_value for item in point.attributes}


def test_without_the_setting_nothing_is_sent(start: Start, collector: Any) -> None:
    server = start(web_concurrency="1", otel_exporter_otlp_endpoint=collector.url)
    server.wait_ready(1)
    server.ask("/items/1")
    server.stop()
    assert collector.points == {}
