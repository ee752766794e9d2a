"""The load generator against servers that are ill, each in one way: it sees and names each."""

import asyncio
import contextlib
import re
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from moorings import ports
from moorings.contract.load import Load, running
from moorings.contract.load_client import Shared
from moorings.contract.load_plan import BOTH, MOST, Group, Plan, Request, in_turn
from moorings.contract.load_releases import Succession
from moorings.contract.load_report import Record, Report
from moorings.contract.load_wire import Kind
from moorings.contract.wire import Answer
from moorings.errors import NotReadyError, UsageError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
OLD_HTTP = b"HTTP/1.0 200 OK\r\n\r\nok"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ONE = (Group("one", clients=1),)

#: What a server does with a request, by its number: pieces to write; None: hang up with a reset.
Script = Callable[[int, bytes], list[bytes] | None]


class Ill(socketserver.ThreadingTCPServer):
    """Answers by a script and then keeps the connection, or closes it."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, script: Script, closes: bool) -> None:
        self.script, self.closes = script, closes
        self.heads: list[bytes] = []
        self.count = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)

    def next(self, head: bytes) -> int:
        """Keep the head of a request, and number it."""
        with self.count:
            self.heads.append(head)
            return len(self.heads) - 1

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Ill)
        with contextlib.suppress(OSError):
            while head := self._head():
                pieces = server.script(server.next(head), head)
                if pieces is None:
                    return self._reset()
                self.connection.sendall(b"".join(pieces))
                if server.closes or b"Connection: close" in head:
                    return None
        return None

    def _head(self) -> bytes:
        read = b""
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            read += line
        return read

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


Start = Callable[..., Ill]


@pytest.fixture
def ill() -> Iterator[Start]:
    """Return a function that starts a server with such a script."""
    with contextlib.ExitStack() as stack:

        def start(script: Script, closes: bool = False) -> Ill:
            server = stack.enter_context(Ill(script, closes))
            stack.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            return server

        yield start


def always(*pieces: bytes) -> Script:
    return lambda _number, _head: list(pieces)


def once(*pieces: bytes, at: int = 1) -> Script:
    """Be well, but for one request."""
    return lambda number, _head: list(pieces) if number == at else [OK]


def loaded(plan: Plan, succession: Succession | None = None) -> Report:
    """Load to the end of the plan's requests."""
    load = Load(plan, succession or Succession())
    load.start()
    until(lambda: load.over)
    return load.stop()


def until(true: Callable[[], bool]) -> None:
    """Poll for what takes milliseconds."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def plan(server: Ill, requests: int = 3, **changes: object) -> Plan:
    """One client, a few requests; a race is told by order alone, however slow this machine is."""
    return Plan(**{"url": server.url, "groups": ONE, "requests": requests, "race": 20.0} | changes)  # type: ignore[arg-type]


def test_a_group_may_ask_elsewhere(ill: Start) -> None:
    here, there = ill(always(OK)), ill(always(OK))
    groups = (*ONE, Group("two", clients=1, url=there.url))
    report = loaded(Plan(here.url, groups=groups, requests=10))
    assert (report.sent, report.failed) == (10, 0)
    assert len(here.heads) == report.group("one").sent > 0
    assert len(there.heads) == report.group("two").sent > 0
    assert f"Host: {there.url.removeprefix('http://')}".encode() in there.heads[0]


def test_no_group_asks_another_machine() -> None:
    groups = (Group("two", url="http://192.0.2.1/"),)
    with pytest.raises(UsageError, match="not on this machine"):
        Plan("http://127.0.0.1:1", groups=groups)


def test_a_well_server_has_no_failures(ill: Start) -> None:
    server = ill(always(OK))
    report = loaded(plan(server, 60, groups=BOTH))
    assert report.summary() == "0 failed of 60"
    assert report.describe() == "0 failed of 60"
    assert (report.sent, report.answered, report.ended) == (60, 60, "requests")
    assert report.statuses == {200: 60}
    assert len(server.heads) == 60


def test_each_request_has_a_sampled_trace_id_of_its_own(ill: Start) -> None:
    server = ill(always(OK))
    report = loaded(plan(server, 20))
    form = re.compile(rb"traceparent: 00-([0-9a-f]{32})-[0-9a-f]{16}-01\r\n")
    seen = {found[1].decode() for head in server.heads if (found := form.search(head))}
    assert len(seen) == 20
    assert seen == report.answered_ids
    assert report.failed_ids == frozenset()


def test_one_group_keeps_its_connections_and_one_does_not(ill: Start) -> None:
    server = ill(always(OK))
    report = loaded(plan(server, 10))
    assert report.connections == 1
    single = loaded(plan(server, 10, groups=(Group("single", clients=1, keep_alive=False),)))
    assert single.connections == 10
    assert sum(b"Connection: close" in head for head in server.heads) == 10


def test_groups_are_told_apart(ill: Start) -> None:
    server = ill(
        lambda _, head: [OK if b"Connection: close" in head else OK.replace(b"200", b"503")]
    )
    report = loaded(plan(server, 40, groups=BOTH))
    kept, single = report.group("keep-alive"), report.group("per request")
    assert kept.sent + single.sent == 40
    assert (kept.failed, single.failed) == (kept.sent, 0)


def test_nobody_listens() -> None:
    url = f"http://127.0.0.1:{ports.free('127.0.0.1')}"
    report = loaded(Plan(url, groups=ONE, requests=2))
    assert report.counts == {Kind.REFUSED: 2}
    assert report.failed_ids == {one.trace_id for one in report.records}


def test_a_reset_before_a_byte(ill: Start) -> None:
    report = loaded(plan(ill(lambda _number, _head: None)))
    assert report.counts == {Kind.RESET: 3}
    assert "not a byte" in report.examples(Kind.RESET)[0]


def test_a_close_before_a_byte(ill: Start) -> None:
    assert loaded(plan(ill(always(b""), closes=True))).counts == {Kind.RESET: 3}


def test_a_request_meets_a_close_on_a_used_connection(ill: Start) -> None:
    # The answer to the second request is a close without a byte; the third one is well again.
    server = ill(lambda number, _head: None if number == 1 else [OK])
    report = loaded(plan(server))
    assert report.counts == {Kind.RACE: 1}
    assert (report.answered, report.connections) == (2, 2)


def test_a_close_after_long_work_is_no_race(ill: Start) -> None:
    server = ill(lambda number, _head: None if number == 1 else [OK])
    assert loaded(plan(server, race=0.0)).counts == {Kind.RESET: 1}


def test_an_idle_connection_closed_without_notice_is_counted_apart(ill: Start) -> None:
    # The pause lets the close arrive before the next request is due: nothing is lost by it.
    server = ill(always(OK), closes=True)
    report = loaded(plan(server, groups=(Group("one", clients=1, pause=0.2),)))
    assert report.quiet_closes + report.failed == 2
    assert "closed without notice" in report.describe() or report.counts[Kind.RACE] == 2


def test_an_announced_close_is_obeyed_and_no_failure(ill: Start) -> None:
    report = loaded(plan(ill(always(CLOSING)), 10))
    assert (report.failed, report.quiet_closes, report.connections) == (0, 0, 10)


def test_http_1_0_is_no_failure(ill: Start) -> None:
    report = loaded(plan(ill(always(OLD_HTTP), closes=True), 5, verdict=wants_ok))
    assert (report.failed, report.quiet_closes, report.connections) == (0, 0, 5)


@pytest.mark.parametrize(
    "cut",
    [
        OK.replace(b"2\r", b"9\r"),
        CHUNKS + b"5\r\nhel",
        CHUNKS + b"2\r\nok\r\n",
        CHUNKS,
        b"HTTP/1.1 200 OK\r\nConte",
    ],
    ids=["length", "in a chunk", "no last chunk", "no chunk", "in the head"],
)
def test_cut_in_the_middle(ill: Start, cut: bytes) -> None:
    report = loaded(plan(ill(always(cut), closes=True)))
    assert report.counts == {Kind.CUT: 3}
    assert report.answered_ids == frozenset()


def test_what_came_of_a_cut_answer_is_shown(ill: Start) -> None:
    report = loaded(plan(ill(always(OK.replace(b"2\r", b"9\r")), closes=True), 1))
    assert "GET / (" in report.describe()
    assert "came: 200, 2 bytes of its body: b'ok'" in report.describe()


def test_whole_chunks_are_right(ill: Start) -> None:
    server = ill(always(CHUNKS, b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n"))
    assert loaded(plan(server, verdict=wants_ok)).failed == 0


def test_a_stall_times_out(ill: Start) -> None:
    report = loaded(plan(ill(always(b"")), 2, timeout=0.3))
    assert report.counts == {Kind.LATE: 2}
    assert report.connections == 2


def test_a_body_that_stalls_times_out(ill: Start) -> None:
    report = loaded(plan(ill(always(OK.replace(b"2\r", b"9\r"))), 1, timeout=0.5))
    assert report.counts == {Kind.LATE: 1}
    assert "came: 200, 2 bytes" in report.describe()


def test_an_error_of_the_server_keeps_its_trace_among_the_answered(ill: Start) -> None:
    report = loaded(plan(ill(once(b"HTTP/1.1 502 Bad\r\nContent-Length: 4\r\n\r\nnope"))))
    assert report.counts == {Kind.STATUS: 1}
    assert report.statuses == {200: 2, 502: 1}
    assert len(report.answered_ids) == 3
    assert "answered 502; its body: b'nope'" in report.describe()


def test_an_error_of_the_client_is_not_what_was_asked_for(ill: Start) -> None:
    report = loaded(plan(ill(once(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"))))
    assert report.counts == {Kind.BODY: 1}


def wants_ok(answer: Answer) -> str:
    return "" if answer.body == b"ok" else "not ok"


def test_a_wrong_body(ill: Start) -> None:
    report = loaded(plan(ill(once(OK.replace(b"ok", b"no"))), verdict=wants_ok))
    assert report.counts == {Kind.BODY: 1}
    assert "not ok; its body: b'no'" in report.describe()


@pytest.mark.parametrize(
    "junk",
    [b"SSH-2.0\r\n\r\n", OK + b"more", OK + OK],
    ids=["no HTTP", "too much", "two answers"],
)
def test_what_is_not_http(ill: Start, junk: bytes) -> None:
    report = loaded(plan(ill(once(junk))))
    assert report.counts == {Kind.GARBLED: 1}


def test_only_the_first_examples_are_shown(ill: Start) -> None:
    report = loaded(plan(ill(always(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")), 50))
    assert report.describe().count("GET / (") == 3
    assert report.summary() == "50 failed of 50"


def release(name: str) -> bytes:
    body = b'{"release": "%s"}' % name.encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def by_number(*names: str) -> Script:
    return lambda number, _head: [release(names[number % len(names)])]


def test_a_release_that_nobody_deployed(ill: Start) -> None:
    report = loaded(plan(ill(by_number("a", "a", "b"))), Succession("a"))
    assert report.counts == {Kind.RELEASE: 1}
    assert "release b, but only a may answer" in report.describe()
    assert report.releases == ("a", "b")


def test_an_answer_that_names_no_release_is_wrong_where_one_must(ill: Start) -> None:
    report = loaded(plan(ill(once(OK)), release=lambda _: ""), Succession("a"))
    assert report.counts == {Kind.RELEASE: 3}
    assert loaded(plan(ill(once(OK)), release=lambda _: None), Succession("a")).failed == 0


def test_both_may_answer_during_a_deploy_but_never_back_on_one_connection(ill: Start) -> None:
    succession = Succession("a")
    succession.begin("b")
    report = loaded(plan(ill(by_number("a", "b", "a"))), succession)
    assert report.counts == {Kind.RELEASE: 1}
    assert "release a again, but only b may answer" in report.describe()


def test_a_rollout_may_mix_both_until_it_is_over(ill: Start) -> None:
    succession = Succession("a", mixes=True)
    succession.begin("b")
    assert loaded(plan(ill(by_number("a", "b", "a"))), succession).failed == 0
    succession.finish()
    report = loaded(plan(ill(by_number("b", "a", "b"))), succession)
    assert report.counts == {Kind.RELEASE: 1}


def test_another_connection_may_meet_the_old_one(ill: Start) -> None:
    single = (Group("single", clients=1, keep_alive=False),)
    succession = Succession("a")
    succession.begin("b")
    server = ill(by_number("b", "a", "b"))
    assert loaded(plan(server, groups=single), succession).failed == 0
    forward = loaded(plan(server, groups=single, forward=True), succession)
    assert forward.counts == {Kind.RELEASE: 1}


def test_after_a_deploy_only_the_new_one_may_answer(ill: Start) -> None:
    succession = Succession("a")
    succession.begin("b")
    succession.finish()
    assert loaded(plan(ill(by_number("a"))), succession).counts == {Kind.RELEASE: 3}
    assert loaded(plan(ill(by_number("b"))), succession).failed == 0


def test_a_failed_deploy_may_not_be_seen(ill: Start) -> None:
    succession = Succession("a")
    succession.begin("b")
    succession.cancel()
    assert loaded(plan(ill(by_number("b", "a"))), succession).counts == {Kind.RELEASE: 2}
    with pytest.raises(UsageError, match="no deploy is under way"):
        succession.cancel()


def test_a_rollback_brings_a_release_back(ill: Start) -> None:
    succession = Succession("a")

    def script(number: int, _head: bytes) -> list[bytes]:
        if number == 1:
            succession.begin("b")
        if number == 2:
            succession.finish()
            succession.begin("a")
        return [release("aba"[number])]

    assert loaded(plan(ill(script)), succession).failed == 0


def test_it_stops_when_told_to_and_loses_nothing_under_way(ill: Start) -> None:
    server = ill(always(OK))
    with running(Plan(server.url, requests=MOST)) as load:
        load.wait(50)
        assert load.sent >= 50
        assert not load.over
    report = load.stop()
    assert (report.ended, report.failed) == ("stopped", 0)
    assert report.sent == len(server.heads)


def test_it_ends_when_its_time_is_up(ill: Start) -> None:
    report = loaded(plan(ill(always(OK)), MOST, seconds=0.2))
    assert report.ended == "seconds"


def test_waiting_for_more_than_it_sends_is_an_error(ill: Start) -> None:
    with (
        running(plan(ill(always(OK)))) as load,
        pytest.raises(NotReadyError, match=r"over after 3 requests, \d+ were awaited"),
    ):
        load.wait(10)


def test_in_an_open_loop_a_stall_counts_for_all_that_it_delays(ill: Start) -> None:
    def script(number: int, _head: bytes) -> list[bytes]:
        if number == 0:
            time.sleep(0.5)
        return [OK]

    open_loop = (Group("open", clients=1, rate=50),)
    report = loaded(plan(ill(script), 20, groups=open_loop))
    # The one at 0.02 s waits for the rest of the stall, and so on; a closed loop would see one.
    assert sum(seconds > 0.2 for seconds in report.latencies) > 10
    assert report.stall >= 0.5


def test_a_fixed_rate_is_kept(ill: Start) -> None:
    report = loaded(plan(ill(always(OK)), 20, groups=(Group("open", clients=2, rate=100),)))
    assert report.records[-1].ended >= 0.19
    due = sorted(one.began for one in report.records)
    assert due == pytest.approx([number / 100 for number in range(20)])


def test_requests_are_as_the_check_has_them(ill: Start) -> None:
    def ask(number: int) -> Request:
        return Request(f"/orders/{number}", "PUT", {"X-Key": "k"}, b"") if number else Request("/")

    server = ill(always(OK))
    report = loaded(plan(server, ask=ask))
    assert [head.split(b"\r\n")[0] for head in server.heads] == [
        b"GET / HTTP/1.1",
        b"PUT /orders/1 HTTP/1.1",
        b"PUT /orders/2 HTTP/1.1",
    ]
    assert b"X-Key: k\r\n" in server.heads[1]
    assert report.records[2].what == "PUT /orders/2"
    assert in_turn("/a", "/b")(3).path == "/b"


def test_a_body_is_sent_with_its_length(echo: str) -> None:
    post = Request("/", "POST", {}, b"four")
    report = loaded(
        Plan(
            echo,
            ask=lambda _: post,
            groups=ONE,
            requests=1,
            verdict=lambda answer: "" if b"Content-Length: 4" in answer.body else "no length",
        )
    )
    assert report.failed == 0


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1", "http://example.com", "https://127.0.0.1", "http://0.0.0.0", "moor"]
)
def test_load_goes_to_loopback_only(url: str) -> None:
    with pytest.raises(UsageError, match="load goes to http on loopback only"):
        Plan(url)


@pytest.mark.parametrize(
    "bound", [{"requests": MOST + 1}, {"seconds": 1e9}, {"groups": (Group("x", clients=10**6),)}]
)
def test_every_load_is_bounded(bound: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="a load of"):
        Plan("http://localhost:1", **bound)  # type: ignore[arg-type]


def test_a_bug_in_a_verdict_is_no_failure_of_the_server(ill: Start) -> None:
    def verdict(_: Answer) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loaded(plan(ill(always(OK)), verdict=verdict))


def record(began: float, ended: float, kind: Kind | None = None) -> Record:
    return Record("one", "GET /", "", began, ended - began, kind=kind)


@pytest.mark.parametrize(
    ("records", "stall"),
    [
        ([record(0, 1), record(1, 2)], 1),
        ([record(0, 1), record(8, 9)], 1),
        ([record(0, 1), record(3, 9), record(8, 9)], 6),
        ([record(0, 1), record(1, 4, Kind.LATE), record(4, 6)], 5),
        ([record(0, 1), record(1, 4, Kind.LATE)], 3),
        ([record(0, 2, Kind.LATE)], 2),
        ([], 0),
    ],
    ids=["busy", "idle between", "one waits", "failed is none", "at the end", "only", "nothing"],
)
def test_a_stall_counts_only_while_something_waits(records: list[Record], stall: float) -> None:
    assert Report(tuple(records)).stall == pytest.approx(stall)


def test_the_first_reason_to_end_is_the_one() -> None:
    shared = Shared(Plan("http://localhost"), Succession(), asyncio.Event(), 0.0)
    shared.end("seconds")
    shared.end("stopped")
    assert shared.ended == "seconds"
    assert shared.take() is None


def test_a_load_that_was_never_answered_has_no_latency() -> None:
    report = loaded(Plan(f"http://localhost:{ports.free('127.0.0.1')}", groups=ONE, requests=1))
    assert (report.latency(99), report.releases) == (0.0, ())


def test_figures_of_latency(ill: Start) -> None:
    report = loaded(plan(ill(always(OK)), 100))
    assert report.latency(50) <= report.latency(99) <= report.latency(100)
    assert report.latency(100) == max(report.latencies)
    assert 0 < report.stall <= report.records[-1].ended
