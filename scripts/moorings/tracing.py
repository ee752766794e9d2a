"""Traces as Jaeger's query API gives them, and how a terminal shows them.

The API: https://www.jaegertracing.io/docs/2.13/architecture/apis/ (`/api/traces`, times in
microseconds).
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any

import httpx
from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from moorings import probe
from moorings.errors import MoorError, NotReadyError, UsageError

#: How far back a search looks, in seconds.
LOOKBACK = 7 * 24 * 3600


@dataclass(frozen=True)
class Span:
    """One operation of a trace."""

    trace_id: str
    span_id: str
    parent_id: str
    """Empty where it has none."""
    service: str
    operation: str
    start: int
    """Microseconds since 1970."""
    duration: int
    """Microseconds."""
    tags: Mapping[str, Any]
    process: Mapping[str, Any]
    """The resource that made it."""
    events: tuple[Mapping[str, Any], ...]

    @property
    def error(self) -> bool:
        """Tell whether its status is an error."""
        return str(self.tags.get("error", "")).lower() == "true"


@dataclass(frozen=True)
class Trace:
    """All spans of one trace that Jaeger has, by start."""

    trace_id: str
    spans: tuple[Span, ...]

    @property
    def roots(self) -> list[Span]:
        """Spans without a parent here: it may be the caller's own, or not have arrived yet."""
        known = {span.span_id for span in self.spans}
        return [span for span in self.spans if span.parent_id not in known]

    def children(self, parent: Span) -> list[Span]:
        """Return the spans right below one."""
        return [span for span in self.spans if span.parent_id == parent.span_id]


class Traces:
    """Asks one Jaeger."""

    def __init__(self, url: str) -> None:
        """Ask at this address of the query API."""
        self.url = url.rstrip("/")

    def services(self) -> list[str]:
        """Return the services that have sent spans."""
        return sorted(self._ask("/api/services") or [])

    def get(self, trace_id: str) -> Trace:
        """Return a trace.

        :raises UsageError: where the id has not the form of one.
        :raises MoorError: where Jaeger has no such trace.
        """
        found = self._find(_checked(trace_id))
        if found is None:
            raise MoorError(
                f"no trace {trace_id} in the Jaeger at {self.url}",
                hint="`moor traces` lists the newest; memory storage forgets at a restart",
            )
        return found

    def _find(self, trace_id: str) -> Trace | None:
        found = self._ask(f"/api/traces/{trace_id}", missing=(404,))
        return _trace(found[0]) if found else None

    def wait_for(
        self,
        trace_id: str,
        timeout: float,
        predicate: Callable[[Trace], bool] = lambda trace: bool(trace.roots),
    ) -> Trace:
        """Wait until a trace is there and complete, as `predicate` sees it.

        :param timeout: seconds.
        :raises NotReadyError: naming what was there at the end.
        """
        seen = 0

        def complete() -> Trace | None:
            nonlocal seen
            found = self._find(trace_id)
            seen = len(found.spans) if found else 0
            return found if found is not None and predicate(found) else None

        what = f"trace {trace_id} to be in Jaeger"
        return probe.until(complete, what=what, timeout=timeout, every=0.2,
                           last=lambda: f"{seen} spans of it")  # fmt: skip

    def search(
        self,
        service: str,
        operation: str = "",
        tags: Mapping[str, str] | None = None,
        limit: int = 20,
        lookback: float = LOOKBACK,
    ) -> list[Trace]:
        """Return the newest traces of a service; Jaeger finds at most `limit`.

        :param lookback: seconds.
        """
        now = time.time()
        asked: dict[str, str | int] = {
            "service": service,
            "limit": limit,
            "start": int((now - lookback) * 1e6),
            "end": int((now + 60) * 1e6),
        }
        if operation:
            asked["operation"] = operation
        if tags:
            asked["tags"] = json.dumps(dict(tags))
        found = [_trace(one) for one in self._ask("/api/traces", params=asked) or []]
        return sorted(found, key=_began, reverse=True)

    def newest(self, limit: int) -> list[Trace]:
        """Return the newest traces of all services."""
        found = [trace for name in self.services() for trace in self.search(name, limit=limit)]
        by_id = {trace.trace_id: trace for trace in found}
        return sorted(by_id.values(), key=_began, reverse=True)[:limit]

    def _ask(
        self,
        path: str,
        params: Mapping[str, str | int] | None = None,
        missing: tuple[int, ...] = (),
    ) -> Any:
        try:
            answer = httpx.get(self.url + path, params=params, timeout=10, trust_env=False)
        except httpx.HTTPError as problem:
            raise NotReadyError(
                f"no Jaeger answers at {self.url}: {problem}", hint="moor status"
            ) from None
        if answer.status_code in missing:
            return None
        if not answer.is_success:
            raise MoorError(
                f"Jaeger at {self.url} answered {answer.status_code}: {answer.text[:200]}"
            )
        return answer.json().get("data")


def _checked(trace_id: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{1,32}", trace_id):
        raise UsageError(
            f"{trace_id!r} is no trace id: it has up to 32 hexadecimal digits",
            hint="`moor traces` lists the newest",
        )
    return trace_id.lower()


def _trace(raw: Mapping[str, Any]) -> Trace:
    spans = [_span(one, raw["processes"][one["processID"]]) for one in raw["spans"]]
    # Ids break ties, so that the same trace always looks the same.
    return Trace(raw["traceID"], tuple(sorted(spans, key=lambda one: (one.start, one.span_id))))


def _span(raw: Mapping[str, Any], process: Mapping[str, Any]) -> Span:
    parents = [one["spanID"] for one in raw.get("references", []) if one["refType"] == "CHILD_OF"]
    return Span(
        trace_id=raw["traceID"],
        span_id=raw["spanID"],
        parent_id=parents[0] if parents else "",
        service=process["serviceName"],
        operation=raw["operationName"],
        start=raw["startTime"],
        duration=raw["duration"],
        tags=_tags(raw.get("tags")),
        process=_tags(process.get("tags")),
        events=tuple(_tags(event["fields"]) for event in raw.get("logs") or []),
    )


def _tags(raw: list[Mapping[str, Any]] | None) -> dict[str, Any]:
    return {tag["key"]: tag["value"] for tag in raw or []}


def _began(trace: Trace) -> int:
    return min(span.start for span in trace.spans)


def render(trace: Trace) -> RenderableType:
    """Return a trace as a tree: service, operation, when it began and how long it took."""
    began = _began(trace)
    top = Tree(Text.assemble(("trace ", "bold"), trace.trace_id))
    for root in trace.roots:
        _grow(top, trace, root, began)
    return top


def _grow(tree: Tree, trace: Trace, span: Span, began: int) -> None:
    branch = tree.add(_line(span, began))
    for child in trace.children(span):
        _grow(branch, trace, child, began)


def _line(span: Span, began: int) -> Text:
    """One line: a longer one is cut at the width of the terminal, never wrapped."""
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{span.duration / 1000:.1f} ms", "bold")
    line.append(f" at {(span.start - began) / 1000:.0f}  ", "dim")
    line.append(f"{span.service}  ", "cyan")
    line.append(f"{_operation(span)}  ")
    status = span.tags.get("http.response.status_code")
    if status is not None:
        line.append(f"{status}  ")
    if span.error:
        line.append("error  ", "bold red")
    return line.append(_statement(span), "dim")


def _operation(span: Span) -> str:
    """SQLite's spans are named by the whole path of their file: its name is enough."""
    verb, _, name = span.operation.partition(" ")
    database = span.tags.get("db.namespace") or span.tags.get("db.name")
    return f"{verb} {PurePath(name).name}" if database and database == name else span.operation


def _statement(span: Span) -> str:
    text = str(span.tags.get("db.query.text") or span.tags.get("db.statement") or "")
    return " ".join(text.split())


def listing(traces: list[Trace]) -> RenderableType:
    """Return traces, one a line."""
    head = f"{'began':8}  {'trace':32}  {'ms':>8}  {'spans':>5}  {'errors':>6}  request"
    return Group(Text(head, "bold"), *map(_row, traces))


def _row(trace: Trace) -> Text:
    root = trace.roots[0]
    began = datetime.fromtimestamp(_began(trace) / 1e6).strftime("%H:%M:%S")
    errors = sum(span.error for span in trace.spans) or ""
    return Text(
        f"{began}  {trace.trace_id:32}  {root.duration / 1000:8.1f}  {len(trace.spans):5}  "
        f"{errors:>6}  {root.service}  {root.operation}",
        no_wrap=True,
        overflow="ellipsis",
    )
