from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, create_engine, event, pool, text

from runtime import databases
from runtime.metrics import Metrics
from runtime.settings import Settings


def test_mysql_has_texts_in_double_quotes() -> None:
    assert databases._clean('SELECT `a` FROM t WHERE b = "x"', False) == (
        "SELECT `a` FROM t WHERE b = ?"
    )


@pytest.mark.parametrize(
    ("sql", "clean"),
    [
        ("SELECT * FROM t WHERE mail = 'a@b.c'", "SELECT * FROM t WHERE mail = ?"),
        ("SELECT 'it''s', 1, 2.5 FROM products_1", "SELECT ?, ?, ? FROM products_1"),
        ("SELECT a FROM t1 WHERE b = $1 AND c = ?", "SELECT a FROM t1 WHERE b = $1 AND c = ?"),
        ("SELECT %(name_1)s, :name2 LIMIT 10", "SELECT %(name_1)s, :name2 LIMIT ?"),
        ("SELECT $tag$it's $1$tag$", "SELECT ?"),
        ('SELECT "Column 1" FROM t', 'SELECT "Column 1" FROM t'),
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
    found = databases.without_values(raw)
    assert (found.attributes or {})["db.query.text"] == clean
    same = ("name", "context", "parent", "kind", "start_time", "end_time", "resource", "events")
    assert [getattr(found, name) for name in same] == [getattr(raw, name) for name in same]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def engine(registry: CollectorRegistry, tmp_path) -> Iterator[Engine]:  # type: ignore[no-untyped-def]
    pools = databases.Pools(Metrics(Settings(), registry))
    pools.listen()
    made = create_engine(f"sqlite:///{tmp_path}/x.db", pool_size=2)
    yield made
    made.dispose()
    for name, hear in pools.heard():
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
