"""What the runtime learns from SQLAlchemy where an app uses it: spans of statements, the pool.

The listeners are the runtime's own, as OpenTelemetry's cost a statement more than the database did:
ADR 018. All that a statement's span says depends on its engine and its text alone, and is kept.
"""

import functools
import importlib.util
import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from opentelemetry import context as contexts
from opentelemetry.instrumentation.utils import is_instrumentation_enabled, suppress_instrumentation
from opentelemetry.trace import INVALID_SPAN, Span, StatusCode

from runtime import current
from runtime.metrics import Metrics
from runtime.pools import Pools
from runtime.spans import Attributes, LightTracer

_TEXT = "db.query.text"
# A number is whatever begins with a digit, with its fraction and exponent, and is no part of a name
# or a placeholder. A quote that is never closed comes last: all that follows may be a text.
_COMMENT = r"--[^\n]*|/\*.*?(?:\*/|\Z)"
_REST = (
    r"(?<![\w$:%.])\.?\d\w*(?:\.\w*)?(?:(?<=[eE])[+-]\d+)?",
    r"""['"].*|\$(?!\d)\w*\$.*""",
)
# Names in quotes, which stay, and texts in quotes. PostgreSQL's with a backslash begin with an E.
_STANDARD = (
    r"""(?P<name>"(?:[^"]|"")*")|\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'""",
    rf"\$(?P<tag>(?!\d)\w*)\$.*?\$(?P=tag)\$|(?P<comment>{_COMMENT})",
)
_MYSQL = (
    r"""(?P<name>`(?:[^`]|``)*`)|'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*\"""",
    rf"(?P<comment>{_COMMENT}|\#[^\n]*)",
)
_VALUES = re.compile("|".join((*_STANDARD, *_REST)), re.DOTALL)
_VALUES_OF_MYSQL = re.compile("|".join((*_MYSQL, *_REST)), re.DOTALL)
_TELLING = re.compile(r"""['"\d]""")
# Where double quotes are for texts too, and a backslash takes a quote's meaning.
_TEXTS = ("mysql", "mariadb")
# Of a statement, after what may stand before it.
_VERB = re.compile(r"(?:\s|\(|--[^\n]*+|/\*.*?\*/)*+(\w+)", re.DOTALL)
# What the conventions call a system otherwise than SQLAlchemy does.
_SYSTEMS = {"mssql": "microsoft.sql_server", "oracle": "oracle.db", "redshift": "aws.redshift"}
# An app that writes values into its SQL has ever new statements.
_KEPT = 512
# Rows inserted by the hundred make texts that are hardly ever the same ones again.
_LONG = 4096
# On a dialect.
_SAYS = "moorings_says"
_WAYS = ("do_execute", "do_executemany", "do_execute_no_params")
with suppress_instrumentation():
    # By which a context says that nothing is to be traced.
    _SUPPRESSED = frozenset(contexts.get_current())


def watch(metrics: Metrics, tracer: LightTracer) -> None:
    """Give SQLAlchemy's statements spans, and count its pool, where there is SQLAlchemy."""
    if importlib.util.find_spec("sqlalchemy") is None:
        return
    Statements(tracer).listen()
    Pools(metrics).listen()


class Said(NamedTuple):
    """What the spans of a statement say."""

    name: str
    attributes: dict[str, str | int]


class Statements:
    """Gives each statement of this process's engines a span, and keeps values out of its errors.

    It runs statements in the place of SQLAlchemy's dialect: to hear of their beginning and end by
    two of its other events costs as much as the span. The span is nobody's current one.
    """

    def __init__(self, tracer: LightTracer) -> None:
        self._begin = tracer.below
        self._heard: dict[str, Callable[..., Any]] = {way: self._running(way) for way in _WAYS}
        self._heard["handle_error"] = _failed

    def listen(self) -> None:
        """Hear of every statement, of asyncio engines too, whichever is there first."""
        from sqlalchemy import Engine, event

        for name, hear in self._heard.items():
            event.listen(Engine, name, hear)

    def end(self) -> None:
        """Hear of none any more."""
        from sqlalchemy import Engine, event

        for name, hear in self._heard.items():
            event.remove(Engine, name, hear)

    def _running(self, way: str) -> Callable[..., bool]:
        """Return what runs statements in one of the ways that drivers have, within a span."""
        begin = self._begin

        def run(cursor: Any, sql: str, *more: Any) -> bool:
            execution, context = more[-1], current.get()
            if execution and (_SUPPRESSED.isdisjoint(context) or is_instrumentation_enabled()):
                dialect = execution.dialect
                # Engines that differ in their execution options alone share a dialect.
                say = dialect.__dict__.get(_SAYS) or _meet(execution)
                name, attributes = (say if len(sql) < _LONG else say.__wrapped__)(sql)
                span = begin(name, context, attributes)
                if span is not INVALID_SPAN:
                    try:
                        _run(run, way, dialect, cursor, sql, *more)
                    except BaseException as error:
                        _end(span, error)
                        raise
                    span.end()
                    return True
            return False  # SQLAlchemy goes on by itself

        return run


def _run(hook: Callable[..., bool], way: str, dialect: Any, *given: Any) -> None:
    """Do what SQLAlchemy would do if `hook`, which it called, were not there."""
    hooks = iter(getattr(dialect.dispatch, way))
    for other in hooks:
        if other is hook:
            break
    for other in hooks:  # an app's own
        if other(*given):
            return
    getattr(dialect, way)(*given)


def _failed(failure: Any) -> None:
    """Keep the values of a statement out of the text of its error, which logs and spans show.

    What the driver itself says stays: the error holds it as its cause.
    """
    error = failure.sqlalchemy_exception
    if error is not None:
        error.hide_parameters = True
        if error.statement:
            error.statement = _clean(error.statement, failure.dialect.name not in _TEXTS)


def _end(span: Span, error: BaseException) -> None:
    """End the span of a statement that failed; what the driver says may hold values."""
    # psycopg and asyncpg; psycopg2.
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    kind = type(error).__qualname__
    if state:
        span.set_attribute("db.response.status_code", state)
    span.set_attribute("error.type", state or kind)
    span.set_status(StatusCode.ERROR, kind)
    span.end()


def _meet(execution: Any) -> Any:
    """Return what says what spans of a statement say; it is kept where the engine goes with it."""
    of = functools.partial(_of_statement, _of_engine(execution.root_connection))
    say = execution.dialect.__dict__[_SAYS] = functools.lru_cache(maxsize=_KEPT)(of)
    return say


def _of_statement(engine: dict[str, str | int], sql: str) -> Said:
    found = _VERB.match(sql)
    verb = found[1] if found else ""
    host, port = engine.get("server.address", ""), engine.get("server.port")
    target = engine.get("db.namespace") or (f"{host}:{port}" if port else host)
    name = " ".join(str(part) for part in (verb, target) if part)
    about = {**engine, _TEXT: _clean(sql, engine["db.system.name"] not in _TEXTS)}
    return Said(
        name or str(engine["db.system.name"]),
        about | ({"db.operation.name": verb} if verb else {}),
    )


def _of_engine(connection: Any) -> dict[str, str | int]:
    """Return what the spans of an engine have in common; what its URL leaves out, libpq knows."""
    url, dialect = connection.engine.url, connection.dialect.name
    driver = getattr(connection.connection, "driver_connection", None)
    libpq = getattr(driver, "info", None) if dialect == "postgresql" else None
    host = url.host or getattr(libpq, "host", "")
    # A file, for SQLite: its folder is nobody's business.
    database = os.path.basename(url.database or getattr(libpq, "dbname", "") or "")
    said = {
        "db.system.name": _SYSTEMS.get(dialect, dialect),
        "db.namespace": database,
        "server.address": host,
        "server.port": url.port if host else None,
    }
    return {key: value for key, value in said.items() if value}


def without_values(said: Attributes) -> dict[str, str]:
    """Return a statement with placeholders alone, as an app may write values into it."""
    text, names = said.get(_TEXT), said.get("db.system.name") not in _TEXTS
    if not isinstance(text, str) or (clean := _clean(text, names)) == text:
        return {}
    return {_TEXT: clean}


def _clean(text: str, names: bool) -> str:
    return (_cleaned if len(text) < _LONG else _cleaned.__wrapped__)(text, names)


@functools.lru_cache(maxsize=_KEPT)
def _cleaned(text: str, names: bool) -> str:
    return (_VALUES if names else _VALUES_OF_MYSQL).sub(_shown, text)


def _shown(found: re.Match[str]) -> str:
    """Return a name, or a comment that says no value; all else is one."""
    comment: str | None = found["comment"]
    if comment and not _TELLING.search(comment):
        return comment
    return found["name"] or "?"
