"""The usual way: OpenTelemetry's own Flask instrumentation, on the same SDK."""

import json
import logging
import sys
import time

from flask import Flask, Response, g, request
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def begin(measured: bool) -> None:
    """Set up what the instrumentations ask for, and trace statements.

    To be called before the app is loaded: only engines that are made later have their statements
    traced, and meters are asked for once.
    """
    if measured:
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    SQLAlchemyInstrumentor().instrument(skip_dep_check=True)


def trace_requests(app: Flask) -> None:
    """Trace the requests of an app, and measure them where meters are set up."""
    FlaskInstrumentor().instrument_app(app)


def log_requests(app: Flask) -> None:
    """Write a JSON line for each request."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("access")
    log.addHandler(handler)
    log.setLevel(logging.INFO)

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        log.info("%s", json.dumps(_line(response)))
        return response


def _line(response: Response) -> dict[str, object]:
    context = trace.get_current_span().get_span_context()
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "level": "info",
        "message": f"{request.method} {request.path} {response.status_code}",
        "method": request.method,
        "path": request.path,
        "route": str(request.url_rule),
        "status": response.status_code,
        "duration_ms": round((time.perf_counter() - g.began) * 1000, 3),
        "bytes": response.content_length,
        "client": request.remote_addr,
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
    }
