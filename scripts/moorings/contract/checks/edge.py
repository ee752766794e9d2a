"""serve.*: what clients send by mistake, by malice, or too slowly; and files."""

import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from moorings import probe
from moorings.contract import ambiguous, wire
from moorings.contract.column import Column
from moorings.contract.load_plan import loopback
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.registry import check

#: Clients that send a byte a second, for how long, and within which time others are answered.
SLOW, SECONDS, SOON = 500, 4, 1.0

#: Bytes of a header and of a path that nobody sends, and how many headers.
LONG, MANY = 20_000, 500

#: Bytes of a body that nobody takes.
HUGE = 10**12

#: Lines of the log, more than all checks before have written: those that are older must not leave
#: while newer ones are waited for.
ALL = 20_000

#: What leads out of the folder of static files, where it is not seen to.
WAYS_OUT = (
    "/static/../app.py",
    "/static/%2e%2e/app.py",
    "/static/..%2fapp.py",
    "/static/%2e%2e%2fapp.py",
    "/static/.%2e/app.py",
    "/static//../app.py",
    "/static/./../app.py",
    "/static../app.py",
    "/static/store.css/../../app.py",
    "/static/..%5capp.py",
    "/static//etc/passwd",
    "/static/%2fetc%2fpasswd",
    "/static/..%c0%afapp.py",
)

#: What the files that they lead to have in them.
TAKEN = (b"def create_app", b"root:x:0:0")


@check(
    "serve.smuggling",
    proves="a request whose end is ambiguous is refused, and never taken for two",
    needs=["runtime", "process"],
    control="a gateway without chunks",
)
def smuggling(column: Column) -> str:
    """Send each on a connection of its own, with another request behind it."""
    judged = [
        *((name, raw, _refused) for name, raw in ambiguous.REFUSED.items()),
        *((name, raw, _cut) for name, raw in ambiguous.CUT.items()),
        *((name, raw, _once) for name, raw in ambiguous.ONCE.items()),
    ]
    # All of them, whatever the first ones come to.
    found = [(name, ambiguous.send(column.url, raw), judge) for name, raw, judge in judged]
    wrong = [(f"{name}: {said}", seen) for name, seen, judge in found if (said := judge(seen))]
    claim(not wrong, "; ".join(said for said, _ in wrong), wrong[0][1] if wrong else None)
    return f"0 of {len(judged)} taken for two"


def _refused(seen: ambiguous.Seen) -> str:
    return "" if seen.refused else f"answered {seen.statuses}, not refused"


def _cut(seen: ambiguous.Seen) -> str:
    return "" if seen.cut else f"answered {seen.statuses}, and not cut"


def _once(seen: ambiguous.Seen) -> str:
    return "" if seen.once else f"answered {seen.statuses}"


@check(
    "serve.limits",
    proves="a header too large, too many of them, a URL or a body too long, no request at all: "
    "4xx, a line each, none in full",
    needs=["runtime", "process"],
    control="no limits of a request",
)
def limits(column: Column) -> str:
    """Send more than any client of ours would."""
    mark = "x" * LONG
    asked = {
        "a header too large": ("/healthz", {"X-Long": mark}),
        "too many headers": ("/healthz", {f"X-{number}": "1" for number in range(MANY)}),
        "a path too long": (f"/{mark}", {}),
        "a query too long": (f"/healthz?{mark}", {}),
    }
    before, refused = _noted(column), Counter[int]()
    for name, (path, headers) in asked.items():
        answer = wire.ask(f"{column.url}{path}", headers=headers)
        claim(400 <= answer.status < 500, f"{name}: answered {answer.status}")
        refused[answer.status] += 1
    refused.update((_body_too_long(column), _no_request(column)))
    _has_lines(column, before + refused)
    whole = column.target.logs(100)
    claim(mark[: LONG // 4] not in whole, "a log line has the long one, or much of it")
    claim(wire.ask(f"{column.url}/healthz").status == 200, "no answer to a plain request after it")
    count = refused.total()
    return f"{count} of {count} refused with a line each, none logged in full"


def _body_too_long(column: Column) -> int:
    """Announce one, and send nothing of it."""
    with wire.Connection(column.url) as connection:
        head = connection.head("POST", "/", {"Content-Length": str(HUGE)})
        answer = connection.read(head)
    claim(answer.status == 413, f"a body too long: answered {answer.status}", answer)
    return answer.status


def _no_request(column: Column) -> int:
    """Send what ends in two places."""
    seen = ambiguous.send(column.url, ambiguous.REFUSED["two lengths"])
    claim(seen.statuses == [400], f"no request at all: answered {seen.statuses}", seen)
    return 400


def _noted(column: Column) -> Counter[int]:
    """Return how many lines there are of refused requests, whoever refused, by status."""
    said = (json.loads(line) for line in column.target.logs(ALL).splitlines())
    statuses = (int(line.get("status") or 0) for line in said)
    return Counter(status for status in statuses if 400 <= status < 500)


def _has_lines(column: Column, wanted: Counter[int]) -> None:
    probe.until(
        lambda: True if _noted(column) >= wanted else None,
        what=f"lines of refused requests, by status {dict(wanted)}", timeout=5,
        last=lambda: f"{dict(_noted(column))} are there",
    )  # fmt: skip


@check(
    "serve.slow_clients",
    proves="while 500 clients send a byte a second, others are answered within a second",
    needs=["runtime", "process"],
    control="a threaded worker without a gateway",
)
def slow_clients(column: Column) -> str:
    """Let them all send half a request, then a byte each second, and ask beside them."""
    with _sending_slowly(column.url, SLOW) as clients:
        slowest = 0.0
        for _ in range(SECONDS):
            for client in clients:
                _one_more_byte(client)
            second = time.monotonic() + 1
            while time.monotonic() < second:
                slowest = max(slowest, _asked(column.url))
                time.sleep(0.1)
    return f"others answered within {slowest:.2f} s beside {len(clients)} slow clients"


@contextmanager
def _sending_slowly(url: str, count: int) -> Iterator[list[socket.socket]]:
    """Lend connections of which half is within a header, and half within a body."""
    head = b"GET /healthz HTTP/1.1\r\nHost: slow\r\nX-Slow: "
    body = b"POST /healthz HTTP/1.1\r\nHost: slow\r\nContent-Length: 1000\r\n\r\n"
    with ExitStack() as stack:
        clients = []
        for number in range(count):
            client = stack.enter_context(socket.create_connection(loopback(url), 5))
            client.sendall(body if number % 2 else head)
            client.setblocking(False)
            clients.append(client)
        yield clients


def _one_more_byte(client: socket.socket) -> None:
    try:
        client.send(b"a")
    except OSError:
        # A server may have enough of it: that is its good right.
        return


def _asked(url: str) -> float:
    began = time.monotonic()
    try:
        answer = wire.ask(f"{url}/healthz", timeout=5 * SOON)
    except wire.WireError as problem:
        raise CheckFailed(f"no answer beside {SLOW} slow clients: {problem.fact}") from None
    took = time.monotonic() - began
    claim(answer.status == 200, f"answered {answer.status}", answer)
    claim(took < SOON, f"answered after {took:.1f} s beside {SLOW} slow clients", answer)
    return took


@check(
    "serve.static",
    proves="a static file has its type, may be cached, and no path leads out of the folder",
    needs=["store", "process"],
    control="a gateway that forgets types",
)
def static(column: Column) -> str:
    """Ask for one, ask again with what it said of itself, then try to get out."""
    url = f"{column.url}/static/store.css"
    answer = wire.ask(url)
    claim(answer.status == 200 and bool(answer.body), f"answered {answer.status}", answer)
    claim(answer.type == "text/css", f"a style sheet came as {answer.type}", answer)
    tag = answer.headers.get("etag", "")
    claim(bool(tag), "it has no ETag to be cached by", answer)
    again = wire.ask(url, headers={"If-None-Match": tag})
    claim(again.status == 304, f"asked again with its ETag: {again.status}, not 304", again)
    claim(not again.body, "304 has a body", again)
    for path in WAYS_OUT:
        out = wire.ask(f"{column.url}{path}")
        claim(not any(mark in out.body for mark in TAKEN), f"{path} leads out of it", out)
    return f"text/css, 304 by its ETag, 0 of {len(WAYS_OUT)} ways out"
