"""trace.*, logs.*: what an operator sees of a request afterwards."""

import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from moorings import probe
from moorings.contract import smoke, wire
from moorings.contract.checks.load import GATEWAY
from moorings.contract.column import Column
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.registry import check
from moorings.contract.spans import Caller, asked, context, stored
from moorings.contract.wire import Answer
from moorings.tracing import Span

#: Whose lines of requests may have the machine's zone.
LOCAL = (GATEWAY, "httpd")

HEALTH = ("/healthz", "/readyz", "/version", "/metrics")


@check(
    "trace.arrives",
    proves="a request's span is in Jaeger within 10 s: route, method, status, release, worker",
    needs=["traces", "runtime"],
    control="spans to nowhere",
    quick=True,
)
def arrives(column: Column) -> str:
    """Ask for a page and look at its span."""
    answer = asked(column, _page(column))
    began = time.monotonic()
    _, span = stored(column, answer)
    took = time.monotonic() - began
    _describes(column, span, answer)
    _bounded(column, answer, span)
    return f"in Jaeger after {took:.1f} s, as {span.operation}"


def _page(column: Column) -> str:
    """Return a path that the app itself answers with a route of its own."""
    if "probe" in column.has:
        return "/_probe/status/200"
    return "/api/products" if "store" in column.has else "/"


def _describes(column: Column, span: Span, answer: Answer) -> None:
    release, server = _deployed(column)
    expected = {
        "http.request.method": answer.method,
        "http.response.status_code": str(answer.status),
        "service.version": release,
        "webengine.name": server,
    }
    tags = {name: str(value) for name, value in {**span.process, **span.tags}.items()}
    wrong = {name: tags.get(name) for name in expected if tags.get(name) != expected[name]}
    claim(not wrong, f"the span says {wrong}, expected {expected}", answer)
    # What no route matches has none to name.
    wanted = ("process.pid",) if answer.status == 404 else ("http.route", "process.pid")
    missing = [name for name in wanted if not tags.get(name)]
    claim(not missing, f"the span does not say {', '.join(missing)}", answer)
    name = " ".join(filter(None, (answer.method, tags.get("http.route"))))
    claim(span.operation == name, f"the span is called {span.operation}, not {name}", answer)


def _bounded(column: Column, answer: Answer, span: Span) -> None:
    """See that what clients invent makes no new names: of paths with numbers, and unknown ones."""
    if "probe" not in column.has:
        return
    claim("<int:code>" in span.operation, f"the span is called {span.operation}", answer)
    unknown = asked(column, f"/{Caller().trace_id}")
    _, span = stored(column, unknown)
    known = "" if span.tags.get("http.route") is None else f" with route {span.tags['http.route']}"
    name = f"{span.operation}{known}"
    claim(name == "GET", f"the span of an unknown path is called {name}", unknown)


def _deployed(column: Column) -> tuple[str, str]:
    said = smoke.document(wire.ask(f"{column.url}/version"))
    return str(said["release"]), str(said["server"])


@check(
    "trace.edges",
    proves="caller -> app -> database in one trace with the right parents; traceresponse",
    needs=["traces", "store"],
    control="no propagation",
    quick=True,
)
def edges(column: Column) -> str:
    """Call as a traced service does, and follow the parents."""
    caller = Caller()
    answer = wire.ask(f"{column.url}/api/products", headers=caller.headers)
    claim(answer.status == 200, f"/api/products answered {answer.status}", answer)
    found = context(answer)[0]
    claim(found == caller.trace_id, f"answered in trace {found}, not {caller.trace_id}", answer)
    trace, server = stored(column, answer)
    claim(server.parent_id == caller.span_id, f"its parent is {server.parent_id!r}", answer)
    queries = [span for span in trace.spans if _is_query(span)]
    claim(bool(queries), f"no database span among {len(trace.spans)} spans", answer)
    astray = [span.operation for span in queries if span.parent_id != server.span_id]
    claim(not astray, f"database spans that are not below the server's: {astray}", answer)
    return f"{len(queries)} database spans below the server's, which is below the caller's"


def _is_query(span: Span) -> bool:
    return any(name in span.tags for name in ("db.system", "db.system.name"))


@check(
    "trace.errors",
    proves="an exception: error status and event on the span, 500 as problem JSON, no stack",
    needs=["traces", "probe"],
    control="spans that lie",
)
def errors(column: Column) -> str:
    """Crash, and compare what the client and the operator learn."""
    answer = asked(column, "/_probe/crash")
    smoke.problem(answer, 500)
    said = smoke.document(answer).get("trace_id")
    claim(said == context(answer)[0], f"the problem names trace {said!r}", answer)
    leaks = [word for word in ("Traceback", "RuntimeError", ".py") if word in str(answer.body)]
    claim(not leaks, f"the client sees {leaks}", answer)
    _, span = stored(column, answer)
    claim(span.error, "the span has no error status", answer)
    events = [event for event in span.events if event.get("event") == "exception"]
    claim(len(events) == 1, f"{len(events)} exception events on the span", answer)
    kind = events[0].get("exception.type", "")
    claim("RuntimeError" in str(kind), f"the event is of type {kind!r}", answer)
    return f"1 event of {kind}, 0 words of it to the client"


@check(
    "trace.stream",
    proves="the span lasts as long as the stream",
    needs=["traces", "probe"],
    control="a span that ends before the stream",
)
def stream(column: Column) -> str:
    """Stream for a second and compare the span's length with the client's."""
    answer = asked(column, "/_probe/stream/6/0.2")
    lasted = answer.ended - answer.began
    _, span = stored(column, answer)
    traced = span.duration / 1e6
    claim(traced >= 1.0, f"the span lasted {traced:.2f} s of a stream of 1.0 s", answer)
    claim(traced <= lasted + 0.1, f"span {traced:.2f} s, client {lasted:.2f} s", answer)
    return f"span {traced:.2f} s, client {lasted:.2f} s"


@check(
    "trace.probes",
    proves="health and metrics requests leave no span",
    needs=["traces", "probe", "deploy"],
    control="a readiness check that traces",
)
def probes(column: Column) -> str:
    """Ask the operator's paths, then for a traced page, and look for more than its trace."""
    # One worker sends its spans in order: where the page's has arrived, no other is on its way.
    with column.other({"server.workers": 1}) as site:
        began = time.time() * 1e6
        markers = list(_as_a_prober(site.inner))
        known = {stored(column, marker)[0].trace_id for marker in markers}
        found = column.traces.search(site.name, limit=1000)
    new = [trace for trace in found if max(span.start for span in trace.spans) >= began]
    strays = [trace.spans[0].operation for trace in new if trace.trace_id not in known]
    claim(not strays, f"{len(strays)} traces of health requests: {strays[:5]}")
    claim(len(new) == len(known), f"Jaeger finds {len(new)} of {len(known)} traced requests")
    return f"0 spans of {len(markers) * len(HEALTH)} requests"


def _as_a_prober(url: str) -> Iterator[Answer]:
    """Ask at a prober's rate, for longer than an answer of the readiness check is kept."""
    for _ in range(6):
        yield _probed(url)
        time.sleep(0.5)


def _probed(url: str) -> Answer:
    """Ask all, then for a page."""
    for path in HEALTH:
        answer = wire.ask(f"{url}{path}", headers=Caller().headers)
        claim(answer.status == 200, f"{path} answered {answer.status}", answer)
    return wire.ask(f"{url}/_probe/status/200")


@check(
    "logs.json",
    proves="one JSON line a request with the answer's trace id and the release; no secret",
    needs=["process", "runtime"],
    control="text lines",
    quick=True,
)
def logs_json(column: Column) -> str:
    """Ask with secrets in hand, and read what was written down."""
    secret = Caller().trace_id
    headers = {"Authorization": f"Bearer {secret}", "Cookie": f"session={secret}"}
    path = "/_probe/crash" if "probe" in column.has else _page(column)
    answer = wire.ask(f"{column.url}{path}?token={secret}", headers=headers)
    lines = _lines_of(column, context(answer)[0])
    requests = [line for line in lines if line.get("method") and not _gateways(line)]
    claim(len(requests) == 1, f"{len(requests)} lines for one request: {lines}", answer)
    wrong = {"path": path, "status": answer.status, "release": _deployed(column)[0]}
    said = {name: requests[0].get(name) for name in wrong}
    claim(said == wrong, f"the line says {said}, expected {wrong}", answer)
    _seen_by_gateway(column, answer)
    if "probe" in column.has:
        told = [line for line in lines if "Traceback" in str(line.get("exception"))]
        claim(len(told) == 1, f"{len(told)} lines with the traceback", answer)
    text = column.target.logs(1000)
    claim(secret not in text, "a secret of the request is in the log", answer)
    bare = [line for line in text.splitlines() if not _has_a_head(_parsed(line))]
    claim(not bare, f"{len(bare)} lines lack time in UTC, level or logger: {bare[:1]}")
    return f"{len(text.splitlines())} lines, all JSON, 0 secrets"


def _seen_by_gateway(column: Column, answer: Answer) -> None:
    """Where there is a gateway, it has one line of the request too, with what it took."""
    if not column.target.endpoints().inner:
        return

    def written() -> list[dict[str, Any]] | None:
        found = [line for line in _all_of(column, context(answer)[0]) if _gateways(line)]
        return found or None

    (line, *others) = probe.until(written, what="the gateway's line", timeout=5)
    claim(not others, f"{len(others) + 1} lines of the gateway for one request", answer)
    claim(line.get("status") == answer.status, f"the gateway's line says {line}", answer)
    claim(isinstance(line.get("seconds"), float), f"no time in the gateway's line {line}", answer)


def _gateways(line: dict[str, Any]) -> bool:
    return line.get("logger") == GATEWAY


def _has_a_head(line: dict[str, Any]) -> bool:
    """Tell whether a line, the server's own too, says when in UTC, how serious, and whose it is."""
    try:
        offset = datetime.fromisoformat(str(line.get("time"))).utcoffset()
    except ValueError:
        return False
    # nginx and httpd know their own zone alone, and say which one that is.
    clear = offset == timedelta(0) or (offset is not None and line.get("logger") in LOCAL)
    return clear and bool(line.get("level")) and bool(line.get("logger"))


def _lines_of(column: Column, trace_id: str) -> list[dict[str, Any]]:
    """Wait until the log has the request, and return all lines of its trace."""

    def written() -> list[dict[str, Any]] | None:
        mine = _all_of(column, trace_id)
        done = any(line.get("method") and not _gateways(line) for line in mine)
        return mine if done else None

    return probe.until(written, what=f"a log line of trace {trace_id}", timeout=5)


def _all_of(column: Column, trace_id: str) -> list[dict[str, Any]]:
    lines = [_parsed(line) for line in column.target.logs(1000).splitlines()]
    return [line for line in lines if line.get("trace_id") == trace_id]


def _parsed(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise CheckFailed(f"a log line is not a JSON object: {line[:200]}")
    return value
