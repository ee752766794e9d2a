"""`python -m bench.statement KIND`: what tracing adds to one statement, in microseconds of CPU.

The least of many short blocks in one process: what else the machine does makes blocks longer only.
"""

import sys
import time

import sqlalchemy
from opentelemetry import context, trace
from opentelemetry.sdk.resources import Resource
from sqlalchemy import Connection, text

from bench.variants import BARE, CONTRIB, TRACING
from runtime import databases, spans

_BLOCKS, _STATEMENTS = 400, 100
_SQL = text("SELECT :number AS a, 2 AS b WHERE 3 = 3")


def _trace(kind: str, sampled: bool) -> None:
    """Trace statements from here on, below a request."""
    tracer = spans.LightTracer(spans.Provider(Resource({})), "bench", "")
    if kind == TRACING:
        databases.Statements(tracer).listen()
    elif kind == CONTRIB:
        from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor

        SQLAlchemyInstrumentor().instrument(tracer_provider=tracer.provider, skip_dep_check=True)
    above: trace.Span = trace.NonRecordingSpan(trace.SpanContext(1, 2, False))
    if sampled:
        above = tracer.begin("GET", context.Context(), dict)
    context.attach(trace.set_span_in_context(above))


def _block(connection: Connection) -> float:
    began = time.thread_time()
    for number in range(_STATEMENTS):
        connection.execute(_SQL, {"number": number})
    return (time.thread_time() - began) / _STATEMENTS * 1e6


def main(kind: str = BARE, percent: str = "100") -> None:
    _trace(kind, percent != "0")
    # Named through the module: the instrumentation replaces it there.
    with sqlalchemy.create_engine("sqlite://").connect() as connection:
        print(f"{kind} {percent} %: {min(_block(connection) for _ in range(_BLOCKS)):.1f} us")


if __name__ == "__main__":
    main(*sys.argv[1:])
