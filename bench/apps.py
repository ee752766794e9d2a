"""`bench.apps:application`: the app of BENCH_APP with around it what BENCH_KIND says."""

import logging
import os
from collections.abc import Callable
from wsgiref.types import WSGIApplication

from asgiref.wsgi import WsgiToAsgi
from opentelemetry import trace

from bench import variants
from runtime import loader, logs, metrics, settings, telemetry, tracing


class Unmetered(metrics.Metrics):
    """Tracing alone is compared with tracing alone: requests are counted nowhere."""

    def begin(self) -> None:
        """Count nothing."""

    def end(self, about: metrics.About, seconds: float) -> None:
        """Count nothing."""


def _traced(spec: str) -> WSGIApplication:
    config = settings.read()
    lines = logs.Lines(config)
    lines.level = logging.CRITICAL
    sums = Unmetered(config)
    # As in runtime.wsgi and wherever else statements are traced: before the app has an engine.
    tracer = tracing.start(config, sums)
    return telemetry.Telemetry(loader.load_app(spec), tracer, sums, lines, config.server)


def _instrumented(spec: str, also: bool) -> WSGIApplication:
    from flask import Flask

    from bench import contrib

    contrib.begin(measured=also)
    app = loader.load_app(spec)
    assert isinstance(app, Flask)
    if also:
        contrib.log_requests(app)
    contrib.trace_requests(app)
    return app


def make(kind: str, spec: str) -> WSGIApplication:
    """Return the application; what it needs besides is set up for this process."""
    if kind == variants.FULL:
        from runtime import wsgi

        return wsgi.application
    if kind == variants.TRACING:
        return _traced(spec)
    if kind in (variants.CONTRIB, variants.CONTRIB_FULL):
        return _instrumented(spec, also=kind == variants.CONTRIB_FULL)
    return loader.load_app(spec)


def flush() -> None:
    """Send the spans that wait: their export is a part of what they cost."""
    force: Callable[[], bool] | None = getattr(trace.get_tracer_provider(), "force_flush", None)
    if force:
        force()


if os.environ.get("BENCH_KIND"):
    application = make(os.environ["BENCH_KIND"], os.environ["BENCH_APP"])
    asgi = WsgiToAsgi(application)  # type: ignore[no-untyped-call]
