"""What Jaeger's query API says, as a real Jaeger 2.13 said it, over a real connection."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from moorings import ports
from moorings.errors import MoorError, NotReadyError, UsageError
from moorings.tracing import Traces

TRACE = "6a14072974aeb15ae49eca2bd8666c1b"
UNKNOWN = "0" * 31 + "1"

#: As Jaeger gives it; shortened.
STORED = {
    "traceID": TRACE,
    "spans": [
        {
            "traceID": TRACE,
            "spanID": "5d68ab6904e3abe9",
            "operationName": "charge the card",
            "references": [
                {"refType": "FOLLOWS_FROM", "traceID": UNKNOWN, "spanID": "1111111111111111"},
                {"refType": "CHILD_OF", "traceID": TRACE, "spanID": "d2d84f885361c114"},
            ],
            "startTime": 1795364671730304,
            "duration": 2412,
            "tags": [
                {"key": "error", "type": "bool", "value": True},
                {"key": "otel.status_code", "type": "string", "value": "ERROR"},
            ],
            "logs": [
                {
                    "timestamp": 1795364671732683,
                    "fields": [
                        {"key": "event", "type": "string", "value": "exception"},
                        {"key": "exception.type", "type": "string", "value": "RuntimeError"},
                    ],
                }
            ],
            "processID": "p1",
            "warnings": None,
        },
        {
            "traceID": TRACE,
            "spanID": "d2d84f885361c114",
            "operationName": "POST /api/orders",
            "references": [],
            "startTime": 1795364671729912,
            "duration": 2871,
            "tags": [{"key": "http.response.status_code", "type": "int64", "value": 201}],
            "logs": [],
            "processID": "p1",
            "warnings": None,
        },
    ],
    "processes": {
        "p1": {
            "serviceName": "store",
            "tags": [{"key": "service.version", "type": "string", "value": "abc"}],
        }
    },
    "warnings": None,
}

NOT_FOUND = {"data": None, "total": 0, "errors": [{"code": 404, "msg": "trace not found"}]}


class Query(BaseHTTPRequestHandler):
    """Answers as Jaeger's query API; keeps what it was asked."""

    asked: list[str]
    late: int
    """How many times the trace is not there yet."""

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path = urlsplit(self.path).path.removeprefix("/jaeger")
        if path == f"/api/traces/{TRACE}" and type(self).late > 0:
            type(self).late -= 1
            self._answer(404, NOT_FOUND)
        elif path in ("/api/traces", f"/api/traces/{TRACE}"):
            self._answer(200, {"data": [STORED], "errors": None})
        elif path == "/api/services":
            self._answer(200, {"data": ["store", "bank"], "errors": None})
        else:
            self._answer(404, NOT_FOUND)

    def _answer(self, status: int, body: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def query() -> Iterator[tuple[str, type[Query]]]:
    handler = type("Handler", (Query,), {"asked": [], "late": 0})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", handler
        server.shutdown()


def test_a_trace_is_read_with_its_spans_by_start(query: tuple[str, type[Query]]) -> None:
    trace = Traces(query[0]).get(TRACE)
    assert [span.operation for span in trace.spans] == ["POST /api/orders", "charge the card"]
    root, child = trace.spans
    assert (root.parent_id, child.parent_id) == ("", root.span_id)
    assert (root.service, root.process, root.error) == ("store", {"service.version": "abc"}, False)
    assert (root.start, root.duration, trace.start) == (1795364671729912, 2871, root.start)
    assert root.tags["http.response.status_code"] == 201
    assert child.error
    assert child.events == ({"event": "exception", "exception.type": "RuntimeError"},)


def test_capital_digits_mean_the_same_trace(query: tuple[str, type[Query]]) -> None:
    assert Traces(f"{query[0]}/").get(TRACE.upper()).trace_id == TRACE


def test_a_trace_that_is_not_there_is_named(query: tuple[str, type[Query]]) -> None:
    with pytest.raises(MoorError, match=f"no trace {UNKNOWN} in the Jaeger at {query[0]}"):
        Traces(query[0]).get(UNKNOWN)


@pytest.mark.parametrize("word", ["", "zz", "../services", "0" * 33, "\u0661" * 32, f"{TRACE}\n"])
def test_what_is_no_trace_id_is_not_sent(query: tuple[str, type[Query]], word: str) -> None:
    with pytest.raises(UsageError, match="hexadecimal digits"):
        Traces(query[0]).get(word)
    assert query[1].asked == []


def test_a_search_says_what_it_looks_for(query: tuple[str, type[Query]]) -> None:
    found = Traces(query[0]).search("store", "POST /", {"error": "true"}, limit=7, lookback=60)
    asked = {name: value[0] for name, value in parse_qs(urlsplit(query[1].asked[0]).query).items()}
    assert [trace.trace_id for trace in found] == [TRACE]
    assert (asked["service"], asked["operation"], asked["limit"]) == ("store", "POST /", "7")
    assert json.loads(asked["tags"]) == {"error": "true"}
    # Microseconds, with a minute for clocks that differ.
    assert int(asked["end"]) - int(asked["start"]) == pytest.approx(120e6, abs=2e6)


def test_the_newest_of_all_services_has_each_trace_once(query: tuple[str, type[Query]]) -> None:
    assert [trace.trace_id for trace in Traces(query[0]).newest(5)] == [TRACE]


def test_a_path_before_the_api_is_kept(query: tuple[str, type[Query]]) -> None:
    assert Traces(f"{query[0]}/jaeger").services() == ["bank", "store"]


def test_a_trace_is_waited_for(query: tuple[str, type[Query]]) -> None:
    query[1].late = 2
    assert Traces(query[0]).wait_for(TRACE, timeout=5).whole
    assert len(query[1].asked) == 3


def test_a_trace_that_stays_incomplete_says_how_far_it_got(query: tuple[str, type[Query]]) -> None:
    with pytest.raises(NotReadyError, match="2 spans of it"):
        Traces(query[0]).wait_for(TRACE, timeout=0, predicate=lambda trace: len(trace.spans) > 2)


def test_a_jaeger_that_is_away_is_waited_for_and_then_named() -> None:
    url = f"http://127.0.0.1:{ports.free('127.0.0.1')}"
    with pytest.raises(NotReadyError, match=f"waited 0 s .*no Jaeger answers at {url}"):
        Traces(url).wait_for(TRACE, timeout=0)
    with pytest.raises(NotReadyError, match=f"no Jaeger answers at {url}"):
        Traces(url).services()


def test_what_is_no_jaeger_is_said(query: tuple[str, type[Query]]) -> None:
    query[1]._answer = lambda self, _status, _body: (  # type: ignore[method-assign]
        self.send_response(200), self.end_headers(), self.wfile.write(b"<html>")
    )  # fmt: skip
    with pytest.raises(MoorError, match="does not answer as Jaeger's query API does"):
        Traces(query[0]).services()
