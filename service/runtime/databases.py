"""What the runtime learns from SQLAlchemy where an app uses it: spans of statements, the pool."""

import contextlib
import functools
import importlib.util
import os
import re
import threading
from collections.abc import Callable
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from runtime.metrics import Metrics

_TEXT = "db.query.text"
# Names in quotes, which stay; then texts in quotes, and numbers that are no part of a name or a
# placeholder.
_VALUES = re.compile(
    r"""("(?:[^"]|"")*")|'(?:[^']|'')*'|\$(\w*)\$.*?\$\2\$|(?<![\w$:%.])\d+(?:\.\d+)?\b""",
    re.DOTALL,
)
# Where double quotes are for texts too.
_TEXTS = ("mysql", "mariadb")


def watch(metrics: Metrics, provider: trace.TracerProvider | None = None) -> None:
    """Give SQLAlchemy's statements spans, and count its pool, where there is SQLAlchemy."""
    if importlib.util.find_spec("sqlalchemy") is None:
        return
    from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor

    # Its last step imports SQLAlchemy's asyncio part, which needs greenlet: where that is missing
    # there are no asyncio engines, and the others are traced by then.
    with contextlib.suppress(ImportError):
        # It declares "< 2.1" but works with 2.1; a unit test watches both.
        SQLAlchemyInstrumentor().instrument(skip_dep_check=True, tracer_provider=provider)
    Pools(metrics).listen()


class Pools:
    """Counts the connections of all of this process's pools, used and idle."""

    def __init__(self, metrics: Metrics) -> None:
        self._used = metrics.connections.labels("used")
        self._idle = metrics.connections.labels("idle")
        self._lock = threading.Lock()
        self._records: set[int] = set()

    def listen(self) -> None:
        """Hear of every connection that is opened, lent, given back or closed."""
        from sqlalchemy import event, pool

        for name, hear in self.heard():
            event.listen(pool.Pool, name, hear)

    def heard(self) -> tuple[tuple[str, Callable[..., None]], ...]:
        """Return the events of a pool, and what hears of each."""
        return (
            ("connect", self._opened),
            ("checkout", self._lent),
            ("checkin", self._returned),
            ("close", self._closed),
            ("detach", self._closed),
        )

    def _opened(self, _connection: Any, _record: Any) -> None:
        self._idle.inc()

    def _lent(self, _connection: Any, record: Any, _fairy: Any) -> None:
        with self._lock:
            if id(record) not in self._records:
                self._records.add(id(record))
                self._idle.dec()
                self._used.inc()

    def _returned(self, connection: Any, record: Any) -> None:
        # One that was invalidated is given back closed: it has been counted as that.
        self._give_back(record, closed=connection is None)

    def _closed(self, _connection: Any, record: Any) -> None:
        if not self._give_back(record, closed=True):
            self._idle.dec()

    def _give_back(self, record: Any, closed: bool) -> bool:
        with self._lock:
            if id(record) not in self._records:
                return False
            self._records.discard(id(record))
        self._used.dec()
        if not closed:
            self._idle.inc()
        return True


class Names(SpanProcessor):
    """Keep folders out of the names of SQLite's spans: `SELECT store.db`, on every machine."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        verb, _, database = span.name.partition(" ")
        if span.kind is trace.SpanKind.CLIENT and "/" in database:
            span.update_name(f"{verb} {os.path.basename(database)}")


def without_values(span: ReadableSpan) -> ReadableSpan:
    """Return a span whose SQL holds placeholders alone, as an app may write values into it."""
    said = span.attributes or {}
    text, names = said.get(_TEXT), said.get("db.system.name") not in _TEXTS
    if not isinstance(text, str) or (clean := _clean(text, names)) == text:
        return span
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={**said, _TEXT: clean},
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


@functools.lru_cache(maxsize=512)
def _clean(text: str, names: bool) -> str:
    return _VALUES.sub(lambda found: (found[1] if names else None) or "?", text)
