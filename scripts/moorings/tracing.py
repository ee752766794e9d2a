"""Traces as Jaeger's query API gives them.

The API: https://www.jaegertracing.io/docs/2.13/architecture/apis/ (`/api/traces`, times in
microseconds).
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import httpx

from moorings import addresses, probe
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

    @property
    def start(self) -> int:
        """Microseconds since 1970 at which its first span began."""
        return min(span.start for span in self.spans)

    @property
    def whole(self) -> bool:
        """Tell whether it begins with one span that has no parent anywhere, and misses none."""
        return [span.parent_id for span in self.roots] == [""]


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
        found = self.find(checked(trace_id))
        if found is None:
            raise MoorError(
                f"no trace {trace_id} in the Jaeger at {self.url}",
                hint="`./moor traces` lists the newest; memory storage forgets at a restart",
            )
        return found

    def find(self, trace_id: str) -> Trace | None:
        """Return a trace, or None where Jaeger has no such one (yet)."""
        found = self._ask(f"/api/traces/{trace_id}", missing=(404,))
        return _trace(found[0]) if found else None

    def wait_for(
        self,
        trace_id: str,
        timeout: float,
        predicate: Callable[[Trace], bool] = lambda trace: trace.whole,
    ) -> Trace:
        """Wait until a trace is there and complete, as `predicate` sees it.

        :param timeout: seconds.
        :raises NotReadyError: naming what was there at the end.
        """
        seen = ""

        def complete() -> Trace | None:
            nonlocal seen
            try:
                found = self.find(trace_id)
            except NotReadyError as silent:
                seen = silent.fact
                return None
            seen = f"{len(found.spans) if found else 0} spans of it"
            return found if found is not None and predicate(found) else None

        what = f"trace {trace_id} to be in Jaeger"
        return probe.until(complete, what=what, timeout=timeout, every=0.2,
                           last=lambda: seen)  # fmt: skip

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
        more = {"operation": operation} if operation else {}
        if tags:
            more["tags"] = json.dumps(dict(tags))
        start, end = int((now - lookback) * 1e6), int((now + 60) * 1e6)
        found = self.between(service, start, end, limit, more)
        return sorted(found, key=lambda one: one.start, reverse=True)

    def between(
        self,
        service: str,
        start: int,
        end: int,
        limit: int,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> list[Trace]:
        """Return the traces of a service with a span in these microseconds, at most `limit`."""
        asked: dict[str, str | int] = {"service": service, "start": start, "end": end}
        asked.update(more, limit=limit)
        return [_trace(one) for one in self._ask("/api/traces", params=asked) or []]

    def newest(self, limit: int) -> list[Trace]:
        """Return the newest traces of all services."""
        found = [trace for name in self.services() for trace in self.search(name, limit=limit)]
        by_id = {trace.trace_id: trace for trace in found}
        return sorted(by_id.values(), key=lambda one: one.start, reverse=True)[:limit]

    def _ask(
        self,
        path: str,
        params: Mapping[str, str | int] | None = None,
        missing: tuple[int, ...] = (),
    ) -> Any:
        try:
            with addresses.client(self.url, timeout=10) as client:
                answer = client.get(self.url + path, params=params)
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            raise NotReadyError(
                f"no Jaeger answers at {self.url}: {problem}", hint="./moor status"
            ) from None
        if answer.status_code in missing:
            return None
        if not answer.is_success:
            raise MoorError(
                f"Jaeger at {self.url} answered {answer.status_code}: {answer.text[:200]}"
            )
        try:
            return answer.json()["data"]
        except (ValueError, KeyError, TypeError):
            raise MoorError(
                f"{self.url}{path} does not answer as Jaeger's query API does",
                hint="JAEGER_URL is where the pages of Jaeger are, as http://host:16686",
            ) from None


def checked(trace_id: str) -> str:
    """Return a trace id in Jaeger's own form.

    :raises UsageError: where it has not the form of one.
    """
    if not re.fullmatch(r"[0-9a-fA-F]{1,32}", trace_id):
        raise UsageError(
            f"{trace_id!r} is no trace id: it has up to 32 hexadecimal digits",
            hint="`./moor traces` lists the newest",
        )
    return trace_id.lower()


def _trace(raw: Mapping[str, Any]) -> Trace:
    spans = [_span(one, raw["processes"][one["processID"]]) for one in raw["spans"]]
    # Ids break ties, so that the same trace always looks the same.
    return Trace(raw["traceID"], tuple(sorted(spans, key=lambda one: (one.start, one.span_id))))


def _span(raw: Mapping[str, Any], process: Mapping[str, Any]) -> Span:
    parents = [one["spanID"] for one in raw.get("references") or [] if one["refType"] == "CHILD_OF"]
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
