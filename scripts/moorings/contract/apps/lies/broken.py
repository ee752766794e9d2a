"""An app whose spans tell of no error, and of no duration."""

import flask
from opentelemetry.sdk.trace import Span

_end = Span.end


def _fine(*_: object, **__: object) -> None:
    """Whatever happened, the status stays as it was."""


def _at_once(span: Span, _end_time: int | None = None) -> None:
    _end(span, (span.start_time or 0) + 1)


Span.set_status = _fine  # type: ignore[method-assign]
Span.end = _at_once  # type: ignore[method-assign, assignment]
app = flask.Flask(__name__)
