"""A trace in a terminal of 80 columns, to the letter."""

from typing import Any

from rich.console import Console, RenderableType

from moorings.traceview import listing, render
from moorings.tracing import Span, Trace

BEGAN = 1795364671000000


def span(name: str, parent: str = "", at: int = 0, took: int = 500, **rest: Any) -> Span:
    """Make a span whose id is its name."""
    given: dict[str, Any] = {"tags": {}, "process": {}, "events": (), "service": "store", **rest}
    operation = given.pop("operation", name)
    return Span("t1", name, parent, operation=operation, start=BEGAN + at, duration=took, **given)


def trace(*spans: Span) -> Trace:
    return Trace("6a14072974aeb15ae49eca2bd8666c1b", spans)


def lines(what: RenderableType, width: int = 80) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as shown:
        console.print(what)
    return [line.rstrip() for line in shown.get().splitlines()]


def sql(name: str, parent: str, statement: str, at: int) -> Span:
    tags = {"db.system.name": "sqlite", "db.query.text": statement}
    return span(name, parent, at, 100, tags=tags, operation="SELECT /data/store.db")


ORDER = trace(
    span("a", took=42900, operation="POST /api/orders", tags={"http.response.status_code": 201}),
    span("b", "a", 1600, 12000, operation="GET /pay", service="bank"),
    sql("c", "b", "SELECT account.id, account.name\n  FROM account WHERE id = ?", 2000),
    sql("d", "a", "INSERT INTO orders (number, email, total_cents, created_at) VALUES (?)", 20000),
    span("e", "a", 41000, 2400, operation="send mail",
         tags={"error": True, "otel.status_description": "OSError: no route\nto host"}),
)  # fmt: skip


def test_a_trace_is_a_tree_with_database_spans_below_their_parents() -> None:
    assert lines(render(ORDER)) == [
        "   at ms   took ms  trace 6a14072974aeb15ae49eca2bd8666c1b, 5 spans",
        "     0.0      42.9  store  POST /api/orders  201",
        "     1.6      12.0  ├─ bank  GET /pay",
        "     2.0       0.1  │  └─ store  sqlite: SELECT … FROM account WHERE id = ?",
        "    20.0       0.1  ├─ store  sqlite: INSERT INTO orders (number, email, total_…",
        "    41.0       2.4  └─ store  send mail  error: OSError: no route to host",
    ]


def test_a_span_without_its_parent_stands_at_the_top() -> None:
    shown = lines(render(trace(span("a"), span("lost", "not here", 10), span("b", "a", 20))))
    assert [line[20:] for line in shown[1:]] == ["store  a", "└─ store  b", "store  lost"]


def test_no_span_is_lost_or_shown_twice_where_parents_go_round() -> None:
    shown = lines(render(trace(span("a", "b"), span("b", "a"), span("c", "c"), span("d"))))
    assert [line[20:] for line in shown[1:]] == [
        "store  d", "store  a", "└─ store  b", "store  c",
    ]  # fmt: skip


def test_a_trace_as_deep_as_it_can_be_is_shown() -> None:
    chain = [span(str(number), str(number - 1)) for number in range(1200)]
    assert len(lines(render(trace(*chain)))) == 1201


def test_what_a_span_holds_cannot_steer_the_terminal_or_break_the_line() -> None:
    shown = lines(render(trace(span("a", operation="GET /\x1b[2J\r\n[bold]x\u202e\x07"))))
    assert shown[1][20:] == "store  GET /?[2J [bold]x??"


def test_an_exception_says_what_the_status_does_not() -> None:
    event = {"event": "exception", "exception.type": "KeyError", "exception.message": "'sku'"}
    shown = lines(render(trace(span("a", tags={"error": "true"}, events=({}, event)))))
    assert shown[1].endswith("store  a  error: KeyError: 'sku'")


def test_a_list_has_a_line_for_each_trace() -> None:
    head, one, lost = lines(listing([ORDER, trace(span("b", "not here", took=70))]), 100)
    assert head == ("began     trace                                   ms  spans  errors  request")
    assert one[10:] == (
        "6a14072974aeb15ae49eca2bd8666c1b      42.9      5       1  store  POST /api/orders"
    )
    assert lost[10:] == "6a14072974aeb15ae49eca2bd8666c1b       0.1      1          store  b"
