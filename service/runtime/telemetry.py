"""One span, one metric and one log line for each request."""

import os
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from opentelemetry import propagate, trace

from runtime import conventions, exchange, frameworks, spans
from runtime.deadline import Watch
from runtime.exchange import Exchange
from runtime.headers import VARIABLE, Capture
from runtime.logs import Lines
from runtime.metrics import Metrics
from runtime.records import Signals


class Telemetry:
    """The layer that sees every request but those of `untraced` paths."""

    def __init__(
        self,
        app: WSGIApplication,
        tracer: trace.Tracer,
        metrics: Metrics,
        lines: Lines,
        server: str = "",
        untraced: frozenset[str] = frozenset(),
        watch: Watch | None = None,
    ) -> None:
        self._app = app
        self._untraced = untraced
        fields = propagate.get_global_textmap().fields
        headers = tuple(conventions.header_key(field) for field in fields)
        captured = Capture(os.environ.get(VARIABLE, ""))
        self._signals = Signals(
            spans.beginning(tracer), metrics, lines, server, watch, headers, captured or None
        )
        frameworks.watch(exchange.KEY)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") in self._untraced:
            return self._app(environ, start_response)
        return Exchange(self._signals, environ, start_response).run(self._app, environ)
