import asyncio
import contextlib
import logging
import sqlite3
import traceback
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from prometheus_client import CollectorRegistry
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
    exc,
    insert,
    make_url,
    pool,
    text,
)
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only

from runtime import databases, pools, spans
from runtime.metrics import Metrics
from runtime.settings import Settings


@pytest.mark.parametrize(
    ("sql", "clean"),
    [
        ('SELECT `a` FROM t WHERE b = "x"', "SELECT `a` FROM t WHERE b = ?"),
        (r"SELECT 'a\'', 'secret'", "SELECT ?, ?"),
        (r"SELECT 'a\\', 'secret'", "SELECT ?, ?"),
        (r"""SELECT "a\"", "secret" FROM `it's 1`""", "SELECT ?, ? FROM `it's 1`"),
        ("SELECT 1 # it's\nFROM t WHERE a = 'secret'", "SELECT ? ?\nFROM t WHERE a = ?"),
        ("SELECT 'secret", "SELECT ?"),
    ],
)
def test_mysql_has_quotes_of_its_own(sql: str, clean: str) -> None:
    assert databases._clean(sql, False) == clean


@pytest.mark.parametrize(
    ("sql", "clean"),
    [
        ("SELECT * FROM t WHERE mail = 'a@b.c'", "SELECT * FROM t WHERE mail = ?"),
        ("SELECT 'it''s', 1, 2.5 FROM products_1", "SELECT ?, ?, ? FROM products_1"),
        ("SELECT a FROM t1 WHERE b = $1 AND c = ?", "SELECT a FROM t1 WHERE b = $1 AND c = ?"),
        ("SELECT %(name_1)s, :name2 LIMIT 10", "SELECT %(name_1)s, :name2 LIMIT ?"),
        ("SELECT $tag$it's $1$tag$", "SELECT ?"),
        ('SELECT "Column 1" FROM t', 'SELECT "Column 1" FROM t'),
        ("SELECT 1e5, 0xFF, 1_000, .5, 1.5e-7, 2.", "SELECT ?, ?, ?, ?, ?, ?"),
        ("SELECT a-1, b[2], c(3), t1.c2", "SELECT a-?, b[?], c(?), t1.c2"),
        (r"SELECT 'a\', 'b'", "SELECT ?, ?"),
        (r"SELECT E'a\'', 'secret'", "SELECT ?, ?"),
        ("SELECT 1 -- it's\nFROM t WHERE a = 'secret'", "SELECT ? ?\nFROM t WHERE a = ?"),
        ("SELECT /* it's */ 'secret'", "SELECT ? ?"),
        ("/* route: a */ SELECT 1 -- why", "/* route: a */ SELECT ? -- why"),
        ("SELECT 'a', 'secret FROM t", "SELECT ?, ?"),
        ("SELECT $$secret FROM t", "SELECT ?"),
        ('SELECT "secret FROM t', "SELECT ?"),
    ],
)
def test_values_in_sql_become_placeholders(sql: str, clean: str) -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    span = provider.get_tracer("test").start_span("SELECT", attributes={"db.query.text": sql})
    span.add_event("fetched")
    span.end()
    (raw,) = kept.get_finished_spans()
    found = spans.changed(raw, databases.without_values(raw.attributes or {}))
    assert (found.attributes or {})["db.query.text"] == clean
    same = ("name", "context", "parent", "kind", "start_time", "end_time", "resource", "events")
    assert [getattr(found, name) for name in same] == [getattr(raw, name) for name in same]


class Traced:
    """What traces the statements of this process, and keeps their spans."""

    def __init__(self) -> None:
        self.provider = spans.Provider(Resource({}))
        self._memory = InMemorySpanExporter()
        self.provider.add_own(SimpleSpanProcessor(self._memory))
        self.tracer = spans.LightTracer(self.provider, "runtime", "r1")
        self.statements = databases.Statements(self.tracer)
        self.statements.listen()

    def ended(self) -> list[Any]:
        return [spans.readable(span) for span in self._memory.get_finished_spans()]

    def names(self) -> list[str]:
        return [span.name for span in self.ended()]


@pytest.fixture
def shop(tmp_path) -> Engine:  # type: ignore[no-untyped-def]
    """An engine that is there before anything listens."""
    made = create_engine(f"sqlite:///{tmp_path}/shop.db", poolclass=pool.NullPool)
    with made.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE users (mail TEXT UNIQUE, age INT)")
    return made


@pytest.fixture
def traced(shop: Engine) -> Iterator[Traced]:
    made = Traced()
    yield made
    made.statements.end()


def _below(span: trace.Span) -> Any:
    return contexts.attach(trace.set_span_in_context(span, Context()))


def test_a_statement_has_a_span_below_the_current_one(shop: Engine, traced: Traced) -> None:
    above = traced.tracer.begin("GET", Context(), dict)
    token = _below(above)
    with shop.connect() as connection:
        connection.execute(text("select mail from users where mail = 'ann' and age = :a"), {"a": 7})
        assert trace.get_current_span() is above
    contexts.detach(token)
    (span,) = traced.ended()
    assert (span.name, span.kind) == ("select shop.db", SpanKind.CLIENT)
    assert dict(span.attributes) == {
        "db.system.name": "sqlite",
        "db.namespace": "shop.db",
        "db.operation.name": "select",
        "db.query.text": "select mail from users where mail = ? and age = ?",
    }
    assert span.parent == above.get_span_context()
    assert span.context.trace_id == above.get_span_context().trace_id
    assert 0 < span.start_time <= span.end_time


def test_a_statement_of_no_request_has_a_trace_of_its_own(shop: Engine, traced: Traced) -> None:
    with shop.connect() as connection:
        connection.execute(text("select 1"))
    (span,) = traced.ended()
    assert span.parent is None


def test_of_every_way_to_run_one(shop: Engine, traced: Traced) -> None:
    users = Table("users", MetaData(), Column("mail", Text), Column("age", Integer))
    with shop.execution_options(mark=1).begin() as connection:
        connection.exec_driver_sql("SELECT 1")
        connection.execution_options(no_parameters=True).exec_driver_sql("SELECT 2")
        connection.execute(text("INSERT INTO users VALUES (:mail, :age)"), _rows("a"))
        # In batches of SQLAlchemy's own making.
        connection.execution_options(insertmanyvalues_page_size=2)
        connection.execute(insert(users).returning(users.c.mail), _rows("b"))
        assert connection.execute(text("SELECT count(*) FROM users")).scalar() == 6
    assert traced.names() == [
        *(["SELECT shop.db"] * 2),
        *(["INSERT shop.db"] * 3),
        "SELECT shop.db",
    ]


def _rows(mark: str) -> list[dict[str, Any]]:
    return [{"mail": f"{mark}{number}", "age": number} for number in range(3)]


class Awaited(SQLiteDialect_pysqlite):
    """A driver that SQLAlchemy takes for one of asyncio."""

    is_async = True
    supports_statement_cache = True

    def do_execute(self, *given: Any) -> None:
        await_only(asyncio.sleep(0))
        super().do_execute(*given)


def test_asyncio_engines_too(shop: Engine, traced: Traced) -> None:
    dialect = Awaited(dbapi=sqlite3)
    engine = AsyncEngine(Engine(shop.pool, dialect, shop.url))

    async def ask() -> object:
        async with engine.connect() as connection:
            return await connection.run_sync(lambda under: under.scalar(text("SELECT 1")))

    above = traced.tracer.begin("GET", Context(), dict)
    token = _below(above)
    assert asyncio.run(ask()) == 1
    contexts.detach(token)
    assert traced.names() == ["SELECT shop.db"]
    assert traced.ended()[0].parent == above.get_span_context()


def test_nothing_where_tracing_is_suppressed(shop: Engine, traced: Traced) -> None:
    with suppress_instrumentation(), shop.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    assert traced.names() == []


def test_nothing_below_a_request_that_is_not_sampled(shop: Engine, traced: Traced) -> None:
    token = _below(trace.NonRecordingSpan(trace.SpanContext(1, 2, True)))
    with shop.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    contexts.detach(token)
    assert traced.names() == []


@pytest.mark.parametrize("is_traced", [True, False])
@pytest.mark.parametrize("values", [":mail, :age", "'ann@x.org', 77421"])
def test_errors_hold_no_values(shop: Engine, traced: Traced, values: str, is_traced: bool) -> None:
    sql = text(f"INSERT INTO users SELECT {values} WHERE :mail = :mail AND :age = :age")
    about = {"mail": "ann@x.org", "age": 77421}
    where = contextlib.nullcontext() if is_traced else suppress_instrumentation()
    with where, shop.begin() as connection:
        connection.execute(sql, about)
        with pytest.raises(exc.IntegrityError) as caught:
            connection.execute(sql, about)
    request = traced.tracer.begin("POST", Context(), dict)
    request.record_exception(caught.value)
    request.end()
    said = [*traceback.format_exception(caught.value), *map(ReadableSpan.to_json, traced.ended())]
    assert "UNIQUE constraint failed: users.mail" in "".join(said)
    assert "INSERT INTO users SELECT ?, ?" in "".join(said)
    assert "ann@x.org" not in "".join(said)
    assert "77421" not in "".join(said)


def test_a_statement_that_fails_has_the_status_of_an_error(shop: Engine, traced: Traced) -> None:
    with shop.connect() as connection, pytest.raises(exc.OperationalError):
        connection.execute(text("SELECT 'ann' FROM nowhere"))
    (span,) = traced.ended()
    assert span.attributes["error.type"] == "OperationalError"
    assert "db.response.status_code" not in span.attributes
    assert (span.status.is_ok, span.status.description) == (False, "OperationalError")


def test_a_line_of_the_log_shows_no_values(
    shop: Engine, traced: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    about = {"mail": "ann@x.org"}
    with shop.connect() as connection, pytest.raises(exc.OperationalError) as caught:
        connection.execute(text("SELECT :mail FROM nowhere"), about)
    logging.getLogger("shop").error("failed", exc_info=caught.value)
    assert "no such table: nowhere" in caplog.text
    assert "ann@x.org" not in caplog.text
    # Of the app's own looks nothing is hidden.
    assert caught.value.params == ("ann@x.org",)


def test_an_error_has_the_sqlstate_that_the_driver_tells(shop: Engine, traced: Traced) -> None:
    def refuse(*_given: Any) -> None:
        raise psycopg.errors.UniqueViolation("Key (mail)=(ann@x.org) already exists")

    event.listen(shop, "do_execute", refuse)
    with shop.connect() as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(text("SELECT 1"))
    (span,) = traced.ended()
    assert span.attributes["db.response.status_code"] == "23505"
    assert span.attributes["error.type"] == "23505"
    assert span.status.description == "UniqueViolation"


def test_what_an_app_does_in_the_place_of_its_driver_is_done_once(
    shop: Engine, traced: Traced
) -> None:
    seen: list[str] = []

    def watch(_cursor: Any, sql: str, *_more: Any) -> None:
        seen.append(sql)

    def execute(cursor: Any, _sql: str, values: Any, _execution: Any) -> bool:
        cursor.execute("SELECT 'theirs'", values)
        return True

    event.listen(shop, "do_execute", watch)
    event.listen(shop, "do_execute", execute)
    with shop.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == "theirs"
    assert seen == ["SELECT 1"]
    assert traced.names() == ["SELECT shop.db"]


@pytest.mark.parametrize(
    ("url", "name", "expected"),
    [
        ("sqlite://", "sqlite", {"db.system.name": "sqlite"}),
        (
            "postgresql+psycopg://ann:secret@db.example:5433/shop",
            "postgresql",
            {
                "db.system.name": "postgresql",
                "db.namespace": "shop",
                "server.address": "db.example",
                "server.port": 5433,
            },
        ),
        (
            "postgresql+psycopg://",
            "postgresql",
            {
                "db.system.name": "postgresql",
                "db.namespace": "from-libpq",
                "server.address": "/run/postgresql",
            },
        ),
        (
            "mssql+pyodbc://db.example/shop",
            "mssql",
            {
                "db.system.name": "microsoft.sql_server",
                "db.namespace": "shop",
                "server.address": "db.example",
            },
        ),
    ],
)
def test_an_engine_is_named_by_the_conventions(
    url: str, name: str, expected: dict[str, Any]
) -> None:
    info = SimpleNamespace(host="/run/postgresql", dbname="from-libpq")
    connection = SimpleNamespace(
        engine=SimpleNamespace(url=make_url(url)),
        dialect=SimpleNamespace(name=name),
        connection=SimpleNamespace(driver_connection=SimpleNamespace(info=info)),
    )
    assert databases._of_engine(connection) == expected


@pytest.mark.parametrize(
    ("sql", "engine", "name"),
    [
        ("/* by\nshop */ -- a note\n (SELECT 1)", {"db.namespace": "shop"}, "SELECT shop"),
        ("SELECT 1", {"server.address": "db", "server.port": 1}, "SELECT db:1"),
        ("SELECT 1", {}, "SELECT"),
        ("-- nothing", {}, "sqlite"),
    ],
)
def test_a_span_is_named_by_the_conventions(sql: str, engine: dict[str, Any], name: str) -> None:
    said = databases._of_statement({"db.system.name": "sqlite", **engine}, sql)
    assert said.name == name
    assert said.attributes.get("db.operation.name", "") == name.partition("sqlite")[0].split(" ")[0]


def test_of_ever_new_statements_few_are_kept(shop: Engine, traced: Traced) -> None:
    with shop.connect() as connection:
        for number in range(600):
            connection.exec_driver_sql(f"SELECT {number}")
        known = shop.dialect.__dict__[databases._SAYS].cache_info()
        assert known.currsize == databases._KEPT
        long = f"SELECT {', '.join('1' for _ in range(2000))}"
        connection.exec_driver_sql(long)
        after = shop.dialect.__dict__[databases._SAYS].cache_info()
    assert (after.hits, after.misses) == (known.hits, known.misses)
    assert set(traced.names()) == {"SELECT shop.db"}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def engine(registry: CollectorRegistry, tmp_path) -> Iterator[Engine]:  # type: ignore[no-untyped-def]
    counted = pools.Pools(Metrics(Settings(), registry))
    counted.listen()
    made = create_engine(f"sqlite:///{tmp_path}/x.db", pool_size=2)
    yield made
    made.dispose()
    for name, hear in counted.heard():
        event.remove(pool.Pool, name, hear)


def test_the_pool_is_counted(engine: Engine, registry: CollectorRegistry) -> None:
    def counted() -> tuple[float | None, float | None]:
        name, label = "db_client_connection_count", "db_client_connection_state"
        return tuple(registry.get_sample_value(name, {label: one}) for one in ("used", "idle"))  # type: ignore[return-value]

    with engine.connect() as first:
        first.execute(text("select 1"))
        assert counted() == (1, 0)
        with engine.connect():
            assert counted() == (2, 0)
        assert counted() == (1, 1)
    assert counted() == (0, 2)
    with engine.connect() as broken:
        broken.invalidate()
    assert counted() == (0, 1)
    with engine.connect() as taken:
        taken.detach()
        assert counted() == (0, 0)
    engine.dispose()
    assert counted() == (0, 0)
