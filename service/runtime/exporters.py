"""Where the spans go: one exporter for each name in OTEL_TRACES_EXPORTER."""

import importlib
import logging
import os
import warnings
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from runtime import otlp
from runtime.settings import SettingError, Settings
from runtime.writer import Writer

_GRPC = (
    "spans leave by OTLP over gRPC: its threads do not survive a fork, and gevent does not know "
    "them. A worker that hangs, or whose spans stop, is a reason for http/protobuf"
)
_log = logging.getLogger("runtime.tracing")


def make(name: str, settings: Settings) -> SpanExporter:
    """Return the exporter of this name; raises SettingError where its package is missing."""
    if name == "jaeger":
        return _jaeger()
    if name == "console":
        return Console()
    return _over_grpc() if settings.otlp_protocol == "grpc" else _over_http()


def _over_http() -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    otlp.use()
    return OTLPSpanExporter()


def _over_grpc() -> SpanExporter:
    module = _import(
        "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
        "OTEL_EXPORTER_OTLP_PROTOCOL: grpc needs opentelemetry-exporter-otlp-proto-grpc in the "
        "version of the SDK; http/protobuf needs no package and works under every server",
    )
    _log.warning(_GRPC)
    exporter: SpanExporter = module.OTLPSpanExporter()
    return exporter


def _jaeger() -> SpanExporter:
    module = _import(
        "opentelemetry.exporter.jaeger.thrift",
        "OTEL_TRACES_EXPORTER: jaeger needs the packages of "
        "service/requirements/legacy-jaeger.txt, installed in place of those of runtime.txt; "
        "otlp needs none of them, and Jaeger takes it on port 4318",
    )
    # Without it a batch that is larger than one datagram is dropped as a whole.
    os.environ.setdefault("OTEL_EXPORTER_JAEGER_AGENT_SPLIT_OVERSIZED_BATCHES", "true")
    with warnings.catch_warnings():
        # Who chose it knows that it is deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        return Answered(module.JaegerExporter())


def takes_light(exporter: SpanExporter) -> bool:
    """Return whether an exporter encodes by the runtime's encoder, which knows light spans."""
    module = type(exporter).__module__
    return module == otlp.EXPORTER and otlp.is_used()


def _import(module: str, missing: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise SettingError(missing) from None


class Answered(SpanExporter):
    """The Jaeger exporter, which says of every batch that it was taken, whatever was answered."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result: SpanExportResult = self._inner.export(spans)
        # It has none where it sends datagrams, which nobody answers.
        collector = self._inner._collector_http_client
        if collector is not None and not 200 <= collector.http_transport.code < 300:
            return SpanExportResult.FAILURE
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        flushed: bool = self._inner.force_flush(timeout_millis)
        return flushed


class Console(SpanExporter):
    """A line for each span on stdout; the SDK's own cuts lines where its buffer is full."""

    def __init__(self) -> None:
        self._writer = Writer(1)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            # One write each, as other workers write to the same pipe.
            self._writer.now(f"{span.to_json(indent=None)}\n".encode())
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._writer.close()
