import json
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult

from runtime import exporters
from runtime.settings import SettingError, Settings

JAEGER = "opentelemetry.exporter.jaeger.thrift"
GRPC = "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the packages of the optional exporters, where they are installed."""
    for module in (JAEGER, GRPC):
        monkeypatch.setitem(sys.modules, module, None)


def test_otlp_goes_by_http() -> None:
    exporter = exporters.make("otlp", Settings())
    assert type(exporter).__module__.startswith("opentelemetry.exporter.otlp.proto.http")
    exporter.shutdown()


def test_the_console_has_one_line_a_span(capfd: pytest.CaptureFixture[str]) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporters.make("console", Settings())))
    provider.get_tracer("test").start_span("work").end()
    (line,) = capfd.readouterr().out.splitlines()
    assert json.loads(line)["name"] == "work"


BATCH = """
from opentelemetry.sdk.trace import TracerProvider
from runtime import exporters, settings
tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
console = exporters.make("console", settings.Settings())
console.export([tracer.start_span(f"work {number}") for number in range(50)])
console.shutdown()
"""


def test_each_line_of_the_console_is_one_write_so_that_workers_do_not_tear_them() -> None:
    # Such a socket keeps what was written by one call as one message.
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    service = Path(exporters.__file__).parents[1]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(service)}
    child = subprocess.Popen([sys.executable, "-c", BATCH], stdout=theirs, env=environ)
    theirs.close()
    ours.settimeout(20)
    messages = list(iter(lambda: ours.recv(65536), b""))
    assert child.wait(20) == 0
    ours.close()
    assert [json.loads(one)["name"] for one in messages] == [f"work {n}" for n in range(50)]


@pytest.mark.usefixtures("missing")
@pytest.mark.parametrize(
    ("name", "protocol", "words"),
    [
        ("jaeger", "http/protobuf", "service/requirements/legacy-jaeger.txt"),
        ("otlp", "grpc", "opentelemetry-exporter-otlp-proto-grpc"),
    ],
)
def test_a_missing_package_is_named(name: str, protocol: str, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        exporters.make(name, Settings(otlp_protocol=protocol))


def test_grpc_is_taken_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = object()
    monkeypatch.setitem(sys.modules, GRPC, SimpleNamespace(OTLPSpanExporter=lambda: made))
    with caplog.at_level(logging.WARNING):
        assert exporters.make("otlp", Settings(otlp_protocol="grpc")) is made
    assert "fork" in caplog.text
    assert "gevent" in caplog.text


class Thrift:
    """Says that it has sent a batch, whatever was answered, as the Jaeger exporter does."""

    def __init__(self, code: int | None) -> None:
        transport = SimpleNamespace(code=code)
        self._collector_http_client: Any = (
            None if code is None else SimpleNamespace(http_transport=transport)
        )

    def export(self, _spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


@pytest.mark.parametrize(
    ("code", "result"),
    [
        (202, SpanExportResult.SUCCESS),
        (503, SpanExportResult.FAILURE),
        (None, SpanExportResult.SUCCESS),
    ],
)
def test_what_jaeger_refuses_is_not_exported(code: int | None, result: SpanExportResult) -> None:
    assert exporters.Answered(Thrift(code)).export([]) is result


def test_jaeger_splits_what_is_too_large_for_a_datagram(monkeypatch: pytest.MonkeyPatch) -> None:
    split = "OTEL_EXPORTER_JAEGER_AGENT_SPLIT_OVERSIZED_BATCHES"
    monkeypatch.setenv(split, "")
    monkeypatch.delenv(split)
    monkeypatch.setitem(sys.modules, JAEGER, SimpleNamespace(JaegerExporter=lambda: Thrift(202)))
    exporters.make("jaeger", Settings())
    assert exporters.os.environ[split] == "true"
