"""An app whose spans tell of no error, and of no duration."""

import flask
from opentelemetry.sdk.trace import Span

from runtime.spans import Light

_end, _end_light = Span.end, Light.end


def _fine(*_: object, **__: object) -> None:
    """Whatever happened, the status stays as it was."""


def _at_once(span: Span, _end_time: int | None = None) -> None:
    _end(span, (span.start_time or 0) + 1)


def _light_at_once(span: Light, _end_time: int | None = None) -> None:
    _end_light(span, span.start_time + 1)


Span.set_status = _fine  # type: ignore[method-assign]
Span.end = _at_once  # type: ignore[method-assign, assignment]
Light.end = _light_at_once  # type: ignore[method-assign, assignment]
app = flask.Flask(__name__)
