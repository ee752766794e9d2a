"""trace.outage, trace.sampling, trace.legacy: how spans leave, and what becomes of the others."""

import hashlib
import time
from collections.abc import Iterable, Mapping

import psutil

from moorings import probe
from moorings.contract import collector, ledger, metrics, wire, workers
from moorings.contract.column import Column
from moorings.contract.hammer import SLEEPS
from moorings.contract.load import Load, running
from moorings.contract.load_plan import Group, Plan, in_turn
from moorings.contract.load_report import Report
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.registry import check
from moorings.contract.site import Site
from moorings.contract.size import Size
from moorings.contract.spans import Caller, context, stored
from moorings.contract.wire import Answer
from moorings.tracing import Span

#: Spans that a worker keeps at most in trace.outage: few, so that an outage of seconds fills it.
ROOM = 256
QUEUE = {"OTEL_BSP_MAX_QUEUE_SIZE": str(ROOM), "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "64"}

#: Seconds that no request may take while the collector fails, and bytes that no worker may grow by.
SLOWEST, GROWTH = 1.0, 20 * 2**20

#: Seconds that the load may take to warm up, and for a fault.
LONG = 60.0

#: Seconds within which spans flow again: an exporter that waits for an answer gives up after 10.
RECOVERED = 25.0

#: Requests that fill the queues of two workers, whichever of them answers.
FULL = 3 * ROOM

#: Seconds of grace in trace.outage: a stop that waits for the collector as long as it may (3 s)
#: is over before, and one that is killed at their end is not.
GRACE = 10

#: Requests of trace.sampling, of each kind.
SEEDED = 100

#: https://www.w3.org/TR/trace-context/#sampled-flag
SAMPLED = 1


@check(
    "trace.outage",
    proves="collector refused, silent, slow, 503, 429: 0 failed, none over 1 s, queue bounded, "
    "losses counted; a stop with a full queue ends within its grace",
    needs=["traces", "probe", "deploy", "process", "loopback"],
    control="a synchronous exporter",
)
def outage(column: Column) -> str:
    """Let the collector fail in five ways under load, come back, and be silent at the stop."""
    with collector.relay(column.collector.otlp_endpoint) as relay:
        flags = {"jaeger.endpoint": relay.url, "server.grace": GRACE}
        with column.other(flags, QUEUE) as site:
            before = _stores(column, site)
            report, grown = _through(relay, site, column.size)
            _harmless(report, grown)
            lost = _counted(site, before + report.answered + _stores(column, site))
            waited, took = _stopped(relay, site, column.size)
    slowest, spent = report.latency(100), f"{grown / 2**20:.0f} MiB"
    stop = f"stopped in {took:.1f} s while {waited:.0f} waited"
    return (f"0 failed of {report.sent:,}, the longest took {slowest:.2f} s, {lost:,.0f} spans "
            f"lost and counted, {spent} grown, {stop}")  # fmt: skip


def _plan(site: Site, size: Size) -> Plan:
    return Plan(
        site.url,
        ask=in_turn(SLEEPS),
        groups=(Group("keep-alive", clients=8, pause=0.03),),
        requests=200_000,
        seconds=size.seconds,
        timeout=3 * SLOWEST,
    )


def _through(relay: collector.Relay, site: Site, size: Size) -> tuple[Report, int]:
    """Load a site through every fault; return what came of it, and by how much a worker grew."""
    with running(_plan(site, size)) as load:
        load.wait(ROOM, timeout=LONG)
        before = _memory(site)
        for fault in collector.FAULTS:
            relay.become(fault)
            _endure(load, site, size, FULL if fault == collector.SILENT else ROOM)
        after = _memory(site)
        claim(after.keys() == before.keys(), "a worker was replaced, whose memory nobody knows")
        grown = max(after[pid] - size_ for pid, size_ in before.items())
        relay.become(collector.FINE)
        return load.stop(), grown


def _endure(load: Load, site: Site, size: Size, requests: int) -> None:
    """Let a fault last for its time and so many requests, and look at the queues meanwhile."""
    began, enough = time.monotonic(), load.sent + requests
    least = 30.0 if size is Size.FULL else 3.0
    while (spent := time.monotonic() - began) < least or load.sent < enough:
        claim(spent < LONG, f"{requests} requests took more than {LONG:.0f} s")
        load.wait(40, timeout=5 * SLOWEST)
        _waiting(site)


def _waiting(site: Site) -> float:
    """Return how many spans wait; no worker keeps more than it has room for."""
    samples = metrics.read(*site.meters)
    found, room = metrics.total(samples, metrics.WAITING), ROOM * len(workers.numbers(site))
    claim(found <= room, f"{found:.0f} spans wait, and there is room for {room}")
    return found


def _memory(site: Site) -> dict[int, int]:
    return {pid: psutil.Process(pid).memory_info().rss for pid in workers.numbers(site)}


def _harmless(report: Report, grown: int) -> None:
    """See that nothing failed or waited."""
    slowest = report.latency(100)
    if report.failed or slowest >= SLOWEST:
        raise CheckFailed(f"the longest request took {slowest:.2f} s; {report.describe()}")
    claim(grown < GROWTH, f"a worker grew by {grown / 2**20:.0f} MiB")


def _stores(column: Column, site: Site) -> int:
    """Ask until a span is stored, by itself; return how often that was."""
    ids: list[str] = []

    def flows() -> bool | None:
        # The queue may still be full: then the span of this request is lost too.
        ids.append(context(wire.ask(f"{site.url}{SLEEPS}"))[0])
        return True if any(map(column.traces.find, ids[-10:])) else None

    probe.until(flows, what="a span to be stored", timeout=RECOVERED, every=0.5)
    return len(ids)


def _counted(site: Site, ended: int) -> float:
    """Wait until each span has been counted once, as sent or as lost; return the lost ones."""

    def seen() -> tuple[float, float]:
        samples = metrics.read(*site.meters)
        return metrics.total(samples, metrics.SENT), metrics.total(samples, metrics.LOST)

    probe.until(
        lambda: True if sum(seen()) >= ended else None,
        what=f"{ended:,} spans to be counted", timeout=RECOVERED,
        last=lambda: "{:,.0f} sent, {:,.0f} lost".format(*seen()),
    )  # fmt: skip
    sent, lost = seen()
    claim(sent + lost == ended, f"{sent:,.0f} sent, {lost:,.0f} lost, of {ended:,} spans")
    claim(lost > 0, "no span is said to be lost, and the collector took none")
    return lost


def _stopped(relay: collector.Relay, site: Site, size: Size) -> tuple[float, float]:
    """Stop it while the collector is silent; return the spans that waited, and the seconds."""
    relay.become(collector.SILENT)
    with running(_plan(site, size)) as load:
        load.wait(FULL, timeout=LONG)
    waited, began = _waiting(site), time.monotonic()
    claim(waited >= ROOM, f"{waited:.0f} spans waited, and no queue was full")
    site.stop()
    took = time.monotonic() - began
    claim(took < GRACE, f"the stop took {took:.1f} s, with {GRACE} s of grace")
    return waited, took


@check(
    "trace.sampling",
    proves="the traces stored are those that the sampler selects; the caller's decision is kept",
    needs=["traces", "probe", "deploy"],
    control="a sampler that takes every trace",
)
def sampling(column: Column) -> str:
    """Send seeded trace ids to a ratio sampler, and decisions to one that follows its callers."""
    ids = [hashlib.md5(b"%d" % number).hexdigest() for number in range(SEEDED)]
    chosen = {one for one in ids if selected(one, 0.5)}
    sampler = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}
    found, roots = _stored_of(column, sampler, dict.fromkeys(ids, "00"), roots=SEEDED)
    chosen |= {one for one in roots if selected(one, 0.5)}
    claim(found == chosen, _differs(found, chosen))
    said = {one for one, is_sampled in roots.items() if is_sampled}
    claim(said == chosen & roots.keys(), "an answer says that its trace is kept, and it is not")
    yes, no = ids[: SEEDED // 2], ids[SEEDED // 2 :]
    sampler = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
    flags = {**dict.fromkeys(yes, "01"), **dict.fromkeys(no, "00"), "": ""}
    kept, _ = _stored_of(column, sampler, flags)
    claim(kept == {*yes}, _differs(kept, {*yes}))
    return (f"{len(found)} of {len(ids) + len(roots)} stored by ratio 0.5, as selected; "
            f"{len(kept)} of {len(yes)} that the caller chose, 0 others")  # fmt: skip


def selected(trace_id: str, ratio: float) -> bool:
    """Tell whether a ratio sampler takes a trace: by the last 8 bytes of its id."""
    return int(trace_id[16:], 16) < round(ratio * 2**64)


def _stored_of(
    column: Column, env: Mapping[str, str], flags: Mapping[str, str], roots: int = 0
) -> tuple[set[str], dict[str, bool]]:
    """Send a request in each trace, and so many that begin one.

    Returns the traces that a site with this sampler stored, and which it began, with what its
    answers say of them: whether they are kept.
    """
    since = time.time()
    # One worker sends its spans in order, so that nothing is on its way once the last is there.
    with column.other({"server.workers": 1}, env) as site:
        for trace_id, sampled in flags.items():
            header = f"00-{trace_id}-{Caller().span_id}-{sampled}"
            wire.ask(f"{site.url}/_probe/status/200", headers={"traceparent": header})
        own = dict(_root(wire.ask(f"{site.url}/_probe/status/200")) for _ in range(roots))
        site.stop()
        reader = ledger.Reader(column.traces, site.name)
        ledger.compare(reader, [], since=since, maybe={**flags, **own}, quiet=2 * ledger.EVERY)
    return set(reader.stored), own


def _root(answer: Answer) -> tuple[str, bool]:
    """Return the trace that an answer names, and whether it is kept."""
    flags = int(answer.headers["traceresponse"].rpartition("-")[2], 16)
    return context(answer)[0], bool(flags & SAMPLED)


def _differs(found: set[str], wanted: set[str]) -> str:
    astray, missing = found - wanted, wanted - found
    return f"{len(found)} stored, {len(astray)} of them not selected; {len(missing)} missing"


@check(
    "trace.legacy",
    proves="the Jaeger exporter (Thrift) stores the same spans, by collector and by agent",
    needs=["traces", "probe", "deploy", "loopback"],
    control="a Jaeger that is not there",
)
def legacy(column: Column) -> str:
    """Ask the same of a site with OTLP and of two with the Jaeger exporter; compare the spans."""
    expected = _said(column, _asked(column.url))
    ports = column.collector.ports
    agent = {
        "OTEL_EXPORTER_JAEGER_AGENT_HOST": "127.0.0.1",
        "OTEL_EXPORTER_JAEGER_AGENT_PORT": str(ports["thrift_compact"]),
    }
    ways = {"collector": dict[str, str](), "agent": agent}
    counts = [_same(column, env, expected, name) for name, env in ways.items()]
    return ", ".join(
        f"{count} of {count} by {name}" for name, count in zip(ways, counts, strict=True)
    )


def _same(column: Column, env: Mapping[str, str], expected: list[object], way: str) -> int:
    with column.other({"jaeger.exporter": "jaeger"}, env) as site:
        answers = _asked(site.url)
        said = _said(column, answers)
    claim(said == expected, f"by {way} the spans say {said}, by OTLP {expected}")
    return len(answers)


def _asked(url: str) -> list[Answer]:
    paths = ("/_probe/status/200", "/_probe/crash", "/_probe/sleep/0", "/nowhere")
    return [wire.ask(f"{url}{path}", headers=Caller().headers) for path in paths]


#: What is the same of a request whoever serves it, and by whatever protocol its span left.
TAGS = ("http.request.method", "http.response.status_code", "http.route", "url.path", "url.scheme",
        "span.kind", "error.type", "webengine.name", "service.version")  # fmt: skip


def _said(column: Column, answers: Iterable[Answer]) -> list[object]:
    """Return what the stored spans of answers say."""
    return [_words(stored(column, answer)[1]) for answer in answers]


def _words(span: Span) -> object:
    tags = {**span.process, **span.tags}
    said = {name: str(tags[name]) for name in TAGS if name in tags}
    events = [event.get("exception.type") for event in span.events]
    return span.operation, span.error, bool(span.parent_id), events, said
