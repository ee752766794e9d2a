"""The ledger against a small server that searches as Jaeger does: at most so many, silently."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from moorings.contract.ledger import Ledger, Reader, compare
from moorings.contract.outcome import CheckFailed
from moorings.errors import NotReadyError
from moorings.tracing import Traces


@dataclass
class Store:
    """Traces as Jaeger keeps them; a search sees only what it is allowed to."""

    traces: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    searches: list[int] = field(default_factory=list)
    """How many each search found."""
    fetched: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    """Found by no search."""
    before_search: Callable[[int], None] = lambda _: None

    def add(
        self, trace_id: str, at: float = 0.0, kind: str = "server", service: str = "store"
    ) -> str:
        """Store a span that began so many seconds after the load."""
        span = {
            "traceID": trace_id.lstrip("0"),
            "spanID": secrets.token_hex(8),
            "operationName": "GET /",
            "references": [],
            "startTime": int((SINCE + at) * 1e6),
            "duration": 1,
            "tags": [{"key": "span.kind", "value": kind}],
            "processID": service,
        }
        self.traces.setdefault(trace_id, []).append(span)
        return trace_id

    def search(self, service: str, start: int, end: int, limit: int) -> list[object]:
        """Return the newest `limit` traces with a span of the service in this time."""
        self.before_search(len(self.searches))
        hits = [
            (str(span["startTime"]), one)
            for one, spans in self.traces.items()
            for span in spans
            if span["processID"] == service and start <= int(str(span["startTime"])) <= end
        ]
        ids = dict.fromkeys(one for _, one in sorted(hits, reverse=True) if one not in self.hidden)
        self.searches.append(min(limit, len(ids)))
        return [self.whole(one) for one in list(ids)[:limit]]

    def whole(self, trace_id: str) -> object:
        spans = self.traces[trace_id]
        processes = {str(span["processID"]): {"serviceName": span["processID"]} for span in spans}
        return {"traceID": trace_id.lstrip("0"), "spans": spans, "processes": processes}


class Query(BaseHTTPRequestHandler):
    store: Store

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = {name: value[0] for name, value in parse_qs(parts.query).items()}
        if parts.path == "/api/traces":
            times = [int(asked[name]) for name in ("start", "end", "limit")]
            return self._answer(200, self.store.search(asked["service"], *times))
        trace_id = parts.path.rsplit("/", 1)[1]
        self.store.fetched.append(trace_id)
        if trace_id in self.store.traces:
            return self._answer(200, [self.store.whole(trace_id)])
        return self._answer(404, None)

    def _answer(self, status: int, data: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps({"data": data}).encode())

    def log_message(self, *_args: object) -> None:
        pass


class FakeClock:
    """Time goes on by itself, so that nothing waits for it."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1.0
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds


SINCE = time.time()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def reader(store: Store) -> Iterator[Reader]:
    """Yield a reader that is told to find at most 10 at once."""
    handler = type("Handler", (Query,), {"store": store})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield Reader(Traces(f"http://127.0.0.1:{server.server_port}"), "store", limit=10)
        server.shutdown()


def ids(count: int) -> list[str]:
    return [secrets.token_hex(16) for _ in range(count)]


def ledger(reader: Reader, sent: list[str], **more: object) -> Ledger:
    return compare(reader, sent, since=SINCE, clock=FakeClock(), **more)  # type: ignore[arg-type]


def test_each_request_has_its_span(store: Store, reader: Reader) -> None:
    sent = [store.add(one) for one in ids(5)]
    found = ledger(reader, sent)
    assert found.even
    assert found.describe() == "sent 5, stored 5"
    assert (found.lost, found.extra, found.doubled, found.unfound) == ((), (), (), ())


def test_more_than_a_search_finds_are_read_in_pages(store: Store, reader: Reader) -> None:
    sent = [store.add(one, at=number / 1000) for number, one in enumerate(ids(95))]
    assert ledger(reader, sent).figure == "sent 95, stored 95"
    assert store.searches[0] == 10
    assert store.fetched == []


def test_pages_meet_without_a_gap(store: Store, reader: Reader) -> None:
    sent = {store.add(one, at=number / 1e6) for number, one in enumerate(ids(95))}
    # Once only: what one reading leaves out, the next one might find by other pages.
    reader.read(int((SINCE - 1) * 1e6), int((SINCE + 1) * 1e6))
    assert reader.stored.keys() == sent


def test_a_full_search_is_not_believed_even_where_all_were_in_it(
    store: Store, reader: Reader
) -> None:
    sent = [store.add(one, at=number) for number, one in enumerate(ids(10))]
    assert ledger(reader, sent).even
    assert len(store.searches) > 2


def test_a_page_that_time_cannot_part_is_an_error(store: Store, reader: Reader) -> None:
    sent = [store.add(one, at=1) for one in ids(11)]
    with pytest.raises(CheckFailed, match="10 traces began in one microsecond"):
        ledger(reader, sent)


def test_what_is_lost_is_named_after_it_was_asked_for_by_id(store: Store, reader: Reader) -> None:
    sent = [store.add(one) for one in ids(3)]
    gone = ids(7)
    found = ledger(reader, sent + gone)
    assert found.lost == tuple(sorted(gone))
    assert not found.even
    assert sorted(store.fetched) == sorted(gone)
    assert found.describe().startswith("sent 10, stored 3\n7 lost: ")
    assert found.describe().endswith(", ...")


def test_what_no_search_finds_is_not_called_lost(store: Store, reader: Reader) -> None:
    sent = [store.add(one) for one in ids(3)]
    store.hidden = {sent[1]}
    found = ledger(reader, sent)
    assert found.even
    assert found.unfound == (sent[1],)
    assert "1 found by id only" in found.describe()


def test_the_same_count_with_other_ids_is_not_even(store: Store, reader: Reader) -> None:
    for one in ids(3):
        store.add(one)
    found = ledger(reader, ids(3))
    assert (found.figure, len(found.lost), len(found.extra)) == ("sent 3, stored 0", 3, 3)


def test_two_server_spans_of_one_request(store: Store, reader: Reader) -> None:
    sent = [store.add(one) for one in ids(3)]
    store.add(sent[0], at=0.001)
    found = ledger(reader, sent)
    assert found.doubled == (sent[0],)
    assert not found.even
    assert "1 doubled" in found.describe()


def test_spans_of_the_database_and_the_gateway_do_not_count(store: Store, reader: Reader) -> None:
    first, second = ids(2)
    store.add(first)
    store.add(first, kind="client")
    store.add(first, service="gateway")
    store.add(second, kind="internal")
    found = ledger(reader, [first, second])
    assert (found.lost, found.doubled) == ((second,), ())


def test_a_span_that_nobody_asked_for_is_not_even(store: Store, reader: Reader) -> None:
    sent = [store.add(one) for one in ids(3)]
    stray = store.add(*ids(1))
    found = ledger(reader, sent)
    assert (found.lost, found.extra, found.even) == ((), (stray,), False)
    assert found.describe() == f"sent 3, stored 3\n1 extra: {stray}"


def test_a_request_that_failed_may_have_a_span_or_not(store: Store, reader: Reader) -> None:
    sent, (stored, gone) = [store.add(one) for one in ids(3)], ids(2)
    store.add(stored)
    found = ledger(reader, sent, maybe=[stored, gone])
    assert (found.even, found.extra) == (True, ())


def test_an_id_with_zeros_in_front_is_the_same(store: Store, reader: Reader) -> None:
    assert ledger(reader, [store.add("0" * 16 + "abcdefabcdefabcd")]).even


def test_late_spans_are_waited_for(store: Store, reader: Reader) -> None:
    sent = ids(6)

    def arrive(searches: int) -> None:
        if searches < len(sent):
            store.add(sent[searches])

    store.before_search = arrive
    assert ledger(reader, sent).figure == "sent 6, stored 6"


def test_a_double_that_comes_late_is_seen(store: Store, reader: Reader) -> None:
    sent = [store.add(one) for one in ids(3)]
    store.before_search = lambda searches: store.add(sent[0]) and None if searches == 1 else None
    assert ledger(reader, sent).doubled == (sent[0],)


def test_spans_that_never_stop_are_an_error(store: Store, reader: Reader) -> None:
    # Further and further back, so that no page of it gets full.
    store.before_search = lambda searches: str(store.add(*ids(1), at=searches)) and None
    reader.limit = 1000
    with pytest.raises(NotReadyError, match="spans still came after 10 s"):
        ledger(reader, ids(1), timeout=10)


def test_of_old_spans_none_is_extra(store: Store, reader: Reader) -> None:
    store.add(*ids(1), at=-3600)
    assert ledger(reader, [store.add(*ids(1))]).extra == ()
