"""The current context, read and set at the cost of a variable.

OpenTelemetry's own functions go through two layers and a logger, several times a request and once
a statement; where it holds the context otherwise, they are taken.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context

#: Under which a context holds its span.
(SPAN,) = trace.set_span_in_context(trace.INVALID_SPAN, Context())

_held = getattr(getattr(contexts, "_RUNTIME_CONTEXT", None), "_current_context", None)

get: Callable[[], Context] = contexts.get_current
attach: Callable[[Context], Any] = contexts.attach
detach: Callable[[Any], None] = contexts.detach
if isinstance(_held, ContextVar):
    get, attach, detach = _held.get, _held.set, _held.reset
