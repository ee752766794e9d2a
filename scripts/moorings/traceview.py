"""How a terminal shows traces: one as a tree, many as a list; a line is cut, never wrapped."""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from moorings.tracing import Span, Trace

#: The columns of a query say less than its tables, and come first.
_COLUMNS = re.compile(r"^SELECT .+? FROM ", re.IGNORECASE)


def render(trace: Trace) -> RenderableType:
    """Return a trace as a tree: when a span began, how long it took, its service and operation."""
    head = f"{'at ms':>8} {'took ms':>9}  trace {trace.trace_id}, {len(trace.spans)} spans"
    return Group(_plain(head, "bold"), *(_line(trace, *row) for row in _walk(trace)))


def _walk(trace: Trace) -> Iterator[tuple[Span, str]]:
    """Yield each span once, below its parent, with its branches drawn before it.

    One whose parent is not here, or that is its own ancestor, stands at the top.
    """
    below: defaultdict[str, list[Span]] = defaultdict(list)
    for span in trace.spans:
        below[span.parent_id].append(span)
    seen: set[int] = set()
    for top in [*trace.roots, *trace.spans]:
        todo = [(top, "", "")]
        while todo:
            span, mark, indent = todo.pop()
            if id(span) in seen:
                continue
            seen.add(id(span))
            yield span, mark
            children = below[span.span_id]
            todo += [
                (child, f"{indent}├─ ", f"{indent}│  ")
                if child is not children[-1]
                else (child, f"{indent}└─ ", f"{indent}   ")
                for child in reversed(children)
            ]


def _line(trace: Trace, span: Span, mark: str) -> Text:
    line = _plain(f"{(span.start - trace.start) / 1000:8.1f} {span.duration / 1000:9.1f}  ")
    line.append(mark, "dim").append(_clean(span.service), "cyan")
    line.append(f"  {_operation(span)}")
    status = span.tags.get("http.response.status_code")
    if status is not None:
        line.append(f"  {status}")
    if span.error:
        line.append(f"  {_problem(span)}", "bold red")
    return line


def _operation(span: Span) -> str:
    """Return what it did: of a database span the statement says it better than its name."""
    statement = span.tags.get("db.query.text") or span.tags.get("db.statement")
    if not statement:
        return _clean(span.operation)
    system = span.tags.get("db.system.name") or span.tags.get("db.system") or "database"
    return f"{system}: {_COLUMNS.sub('SELECT … FROM ', _clean(str(statement)))}"


def _problem(span: Span) -> str:
    """Return what went wrong, as far as it is said: by the status, else by an exception."""
    said = span.tags.get("otel.status_description") or next(
        (f"{event.get('exception.type')}: {event.get('exception.message', '')}"
         for event in span.events if "exception.type" in event), "",
    )  # fmt: skip
    return _clean(f"error: {said}" if said else "error")


def listing(traces: list[Trace]) -> RenderableType:
    """Return traces, one a line."""
    head = f"{'began':8}  {'trace':32}  {'ms':>8}  {'spans':>5}  {'errors':>6}  request"
    return Group(_plain(head, "bold"), *map(_row, traces))


def _row(trace: Trace) -> Text:
    root = trace.roots[0] if trace.roots else trace.spans[0]
    began = datetime.fromtimestamp(trace.start / 1e6).strftime("%H:%M:%S")
    errors = sum(span.error for span in trace.spans) or ""
    return _plain(
        f"{began}  {trace.trace_id:32}  {root.duration / 1000:8.1f}  {len(trace.spans):5}  "
        f"{errors:>6}  {_clean(root.service)}  {_clean(root.operation)}"
    )


def _plain(text: str, style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _clean(text: str) -> str:
    """Return it in one line and without what would steer the terminal: anybody may send spans."""
    words = " ".join(text.split())
    return "".join(sign if sign.isprintable() else "?" for sign in words)
