"""serve.*: requests and answers, as HTTP and a client mean them."""

import hashlib
from collections.abc import Iterator

from moorings.contract import smoke, wire, workers
from moorings.contract.column import Column
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.registry import check
from moorings.contract.wire import Connection, WireError

MIB = 1024 * 1024

#: The largest body that must arrive, and how much a worker may grow by it.
UPLOAD, GROWTH = 64 * MIB, 24 * MIB


@check(
    "serve.ready",
    proves="/readyz is 200 and /version names this release, commit and server",
    needs=["runtime"],
    control="never ready",
    quick=True,
)
def ready(column: Column) -> str:
    """Ask both."""
    return smoke.ready(column.url, column.release, column.name, column.inner)


@check(
    "serve.idempotent",
    proves="a second deploy of the same version starts nothing new",
    needs=["deploy", "process"],
    control="changes by restart",
)
def idempotent(column: Column) -> str:
    """Deploy again; the same processes serve."""
    before = column.site.pids()
    changed = column.site.deploy(proof=False)
    after = column.site.pids()
    claim(before == after, f"processes {sorted(before)} became {sorted(after)}")
    claim(not changed, "the deploy says that it had something to do")
    return f"{len(before & after)} of {len(before)} processes are the same"


@check(
    "serve.http",
    proves="methods, HEAD, 404, 405, Unicode paths, chunked bodies, Expect: 100-continue",
    needs=["runtime"],
    control="a gateway without chunks",
    quick=True,
)
def http(column: Column) -> str:
    """Ask as a deploy does, and see that problems are documents."""
    probe = "probe" in column.has
    figure = smoke.http(column.url, probe=probe)
    missing = _nobody_has(column)
    for path in missing:
        smoke.problem(wire.ask(column.url + path), 404)
    if probe:
        smoke.problem(wire.ask(f"{column.url}/_probe/echo/more"), 404)
        smoke.problem(wire.ask(f"{column.url}/_probe/sleep/0", "POST"), 405)
    return figure


def _nobody_has(column: Column) -> list[str]:
    return [f"/api/products{smoke.UNICODE}"] if "store" in column.has else []


@check(
    "serve.stream",
    proves="a streamed answer comes piece by piece",
    needs=["probe"],
    control="a buffering gateway",
)
def stream(column: Column) -> str:
    """Time the arrival of ten pieces that are made 0.1 s apart."""
    answer = wire.ask(f"{column.url}/_probe/stream/10/0.1")
    claim(answer.status == 200, f"answered {answer.status}", answer)
    claim(bool(answer.pieces), "the answer has no body", answer)
    times = [when for when, _ in answer.pieces]
    first, spread = times[0] - answer.began, times[-1] - times[0]
    claim(spread > 0.5, f"all pieces came within {spread:.2f} s, they are made over 0.9 s", answer)
    claim(first < spread, f"the first piece came after {first:.2f} s", answer)
    return f"{len(times)} pieces over {spread:.1f} s"


@check(
    "serve.upload",
    proves="64 MiB arrive whole in bounded memory; over the limit is 413, the next request works",
    needs=["probe", "process"],
    control="no limit of a body",
)
def upload(column: Column) -> str:
    """Send 64 MiB both ways of framing, then too much, both ways."""
    before = _peak(column)
    whole = b"".join(_body(UPLOAD))
    for body in (whole, _body(UPLOAD)):
        smoke.echoed(wire.ask(f"{column.url}/_probe/echo", "POST", body=body, timeout=60), whole)
    grown = _peak(column) - before
    claim(grown < GROWTH, f"the workers' peak memory grew by {grown // MIB} MiB")
    _too_long(column)
    _too_many_chunks(column)
    return f"2 x {UPLOAD // MIB} MiB whole, peak memory grew by {grown // MIB} MiB, 413 beyond"


def _peak(column: Column) -> int:
    """Return the most bytes that any worker ever held."""
    url = f"{column.url}/_probe/counters"
    documents, _ = workers.ask_every(url, workers.count(column))
    return max(int(str(said["max_rss_bytes"])) for said in documents.values())


def _body(size: int) -> Iterator[bytes]:
    piece = hashlib.sha256(b"moorings").digest() * 2048
    for _ in range(size // len(piece)):
        yield piece


def _too_long(column: Column) -> None:
    """Say a length over the limit, and send none of it: the answer must not wait for it."""
    limit = column.site.deployment.settings.server.max_body
    size = (limit or 100 * MIB) + 1
    with Connection(column.url, timeout=5) as connection:
        try:
            head = connection.head("POST", "/_probe/echo", {"Content-Length": str(size)})
            answer = connection.read(head)
        except WireError as waited:
            raise CheckFailed(f"{size} bytes announced: {waited.fact}, not 413", head) from None
    smoke.problem(answer, 413)
    smoke.echoed(wire.ask(f"{column.url}/_probe/echo", "POST", body=b"next"), b"next")


def _too_many_chunks(column: Column) -> None:
    """Send more than the limit without saying how much it will be."""
    limit = column.site.deployment.settings.server.max_body or UPLOAD
    url = f"{column.url}/_probe/echo"
    smoke.problem(wire.ask(url, "POST", body=_body(limit + MIB), timeout=60), 413)
    smoke.echoed(wire.ask(url, "POST", body=b"next"), b"next")


@check(
    "serve.keepalive",
    proves="1,000 requests on one connection; an idle one stays for the server's timeout, then "
    "closes cleanly",
    needs=["probe", "process"],
    control="a gateway that closes",
)
def keepalive(column: Column) -> str:
    """Ask and ask, then wait for the end of an idle connection: a gateway may end a long one."""
    with Connection(column.url) as connection:
        for number in range(1000):
            answer = connection.ask("GET", "/_probe/status/200")
            claim(answer.status == 200, f"request {number + 1} got {answer.status}", answer)
    idle = column.site.deployment.settings.server.keep_alive
    with Connection(column.url) as connection:
        connection.ask("GET", "/_probe/status/200")
        claim(not connection.closed(idle - 1), f"closed within {idle - 1} s of idling")
        claim(connection.closed(6), f"still open {idle + 5} s after the last request")
    return f"0 failed of 1,000; a clean close after {idle - 1} to {idle + 5} s"
