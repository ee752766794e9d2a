"""What is compared is traced alike: each variant has a span for each statement."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.variants import CATALOGUE, CONTRIB, CONTRIB_FULL, FULL, NAKED, PATHS, TRACING, Variant

ROOT = Path(__file__).parents[3]
SECONDS = 60.0
_ASK = """
import os
from bench import apps, blocks
blocks.turn(apps.application, os.environ["BENCH_PATH"], 2)
blocks.turn(apps.application, os.environ["BENCH_PATH"], 0)
"""


class Collector(ThreadingHTTPServer):
    """Keeps the spans that it is sent by OTLP."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receive)
        self.spans: list[Any] = []


class _Receive(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/traces"):
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in group.scope_spans:
                    self.server.spans.extend(scope.spans)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The store's database, with products."""
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'service'}",
        "DATA_DIR": str(tmp_path_factory.mktemp("store")),
        "SECRET_KEY": "0" * 32,
    }
    _run(["-m", "store.migrate"], env)
    return env


def _run(arguments: list[str], env: dict[str, str]) -> None:
    argv = [sys.executable, *arguments]
    ran = subprocess.run(
        argv, env=env, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert ran.returncode == 0, ran.stderr


def _statements(
    variant: Variant, collector: Collector, store: dict[str, str], place: Path
) -> list[str]:
    """Return the texts of the statements of the second request, in their order."""
    url = f"http://127.0.0.1:{collector.server_port}"
    more = {"BENCH_PATH": PATHS[CATALOGUE], "METRICS_DIR": str(place / "metrics")}
    _run(["-c", _ASK], {**store, **variant.environ(CATALOGUE, url), **more})
    requests = [span for span in collector.spans if span.kind == span.SPAN_KIND_SERVER]
    if not requests:
        return []
    last = max(requests, key=lambda span: span.start_time_unix_nano)
    below = [span for span in collector.spans if span.parent_span_id == last.span_id]
    texts = [_text(span) for span in sorted(below, key=lambda span: span.start_time_unix_nano)]
    return [text for text in texts if text]


def _text(span: Any) -> str:
    said = {item.key: item.value.string_value for item in span.attributes}
    return said.get("db.query.text", "")


@pytest.mark.parametrize("kind", [TRACING, FULL, CONTRIB, CONTRIB_FULL])
def test_each_statement_of_the_catalogue_has_a_span(
    kind: str, collector: Collector, store: dict[str, str], tmp_path: Path
) -> None:
    found = _statements(Variant(kind), collector, store, tmp_path)
    assert [text.split()[0] for text in found] == ["BEGIN", "SELECT", "SELECT"]


@pytest.mark.parametrize("variant", [NAKED, Variant(TRACING, 0), Variant(CONTRIB, 0)], ids=str)
def test_what_is_not_traced_has_none(
    variant: Variant, collector: Collector, store: dict[str, str], tmp_path: Path
) -> None:
    assert _statements(variant, collector, store, tmp_path) == []
    assert collector.spans == []
