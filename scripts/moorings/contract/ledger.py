"""The ledger: the requests that were sent against the server spans that Jaeger has, by trace id.

A search of Jaeger finds at most as many traces as it was told to, without a word on what it left
out. So a search that comes back full is asked again in two halves of its time, and an id that no
search has found is asked for by itself before it is called lost.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from moorings.contract.outcome import CheckFailed
from moorings.errors import NotReadyError
from moorings.probe import Clock
from moorings.tracing import Trace, Traces

#: Traces that one search is told to find.
LIMIT = 1500

#: Seconds without a new span after which what is missing counts as lost: an exporter sends what it
#: has every 5 s by default (OTEL_BSP_SCHEDULE_DELAY).
QUIET = 8.0

#: Seconds between two readings.
EVERY = 1.0

#: Seconds by which the clocks of client and server may differ.
SKEW = 5.0

#: Ids that are shown of each kind.
SHOWN = 5

#: Server spans by trace id.
Stored = dict[str, set[str]]


@dataclass(frozen=True)
class Ledger:
    """The two sides, and where they differ."""

    sent: int
    stored: int
    """Of those sent."""
    lost: tuple[str, ...] = ()
    """Sent, and in no server span."""
    extra: tuple[str, ...] = ()
    """In a server span of that time, and sent by nobody that the check knows of."""
    doubled: tuple[str, ...] = ()
    """In more than one server span."""
    unfound: tuple[str, ...] = ()
    """Stored, but found by no search: only when asked for by id."""

    @property
    def even(self) -> bool:
        """Tell whether each request has its one server span, and no other span is there."""
        return not self.lost and not self.doubled and not self.extra

    @property
    def figure(self) -> str:
        """Return the figure of a check."""
        return f"sent {self.sent:,}, stored {self.stored:,}"

    def describe(self) -> str:
        """Return the figure, then how many differ and the first of each kind."""
        kinds = {"lost": self.lost, "doubled": self.doubled, "extra": self.extra,
                 "found by id only": self.unfound}  # fmt: skip
        lines = [f"{len(ids):,} {kind}: {_first(ids)}" for kind, ids in kinds.items() if ids]
        return "\n".join([self.figure, *lines])


@dataclass
class Reader:
    """Reads all server spans of one service."""

    traces: Traces
    service: str
    limit: int = LIMIT
    stored: Stored = field(default_factory=lambda: defaultdict(set))

    def read(self, start: int, end: int) -> None:
        """Note every server span that began in these microseconds, both ends included.

        :raises CheckFailed: where so many began in one that no search can find all.
        """
        found = self.traces.between(self.service, start, end, self.limit)
        self._note(found)
        if len(found) < self.limit:
            return
        if start >= end:
            raise CheckFailed(f"{len(found)} traces began in one microsecond: cannot page further")
        middle = (start + end) // 2
        self.read(start, middle)
        self.read(middle + 1, end)

    def fetch(self, trace_id: str) -> bool:
        """Note the server spans of one trace; tell whether it has any."""
        trace = self.traces.find(trace_id)
        self._note([trace] if trace else [])
        return trace_id in self.stored

    @property
    def spans(self) -> int:
        """How many server spans have been noted."""
        return sum(map(len, self.stored.values()))

    def _note(self, found: Iterable[Trace]) -> None:
        for trace in found:
            for span in trace.spans:
                if span.service == self.service and span.tags.get("span.kind") == "server":
                    # Jaeger writes an id that begins with zeros shorter.
                    self.stored[trace.trace_id.zfill(32)].add(span.span_id)


def compare(
    reader: Reader,
    sent: Collection[str],
    *,
    since: float,
    maybe: Collection[str] = (),
    timeout: float = 60.0,
    quiet: float = QUIET,
    clock: Clock = time,
) -> Ledger:
    """Wait until Jaeger has all, or no more come, and compare.

    Jaeger forgets: its memory storage drops the oldest traces beyond `max_traces`. The same span
    stored twice, by an exporter that tried again, is one: Jaeger's answers show it once.

    :param sent: trace ids of the requests that were answered.
    :param since: seconds since 1970 at which the first one was sent.
    :param maybe: trace ids that may be stored or not: of requests that failed, of other clients.
    :param timeout: seconds.
    :param quiet: seconds without a new span, after which what is missing is lost.
    :raises NotReadyError: where spans still come when the time is up.
    """
    wanted = frozenset(sent)
    _settle(reader, wanted, since, timeout, quiet, clock)
    unfound = sorted(one for one in wanted - reader.stored.keys() if reader.fetch(one))
    stored = reader.stored.keys()
    return Ledger(
        sent=len(wanted),
        stored=len(wanted & stored),
        lost=tuple(sorted(wanted - stored)),
        extra=tuple(sorted(stored - wanted - frozenset(maybe))),
        doubled=tuple(sorted(one for one, spans in reader.stored.items() if len(spans) > 1)),
        unfound=tuple(unfound),
    )


def _settle(
    reader: Reader, wanted: frozenset[str], since: float, timeout: float, quiet: float, clock: Clock
) -> None:
    """Read again and again, until twice the same, and until all is there or has had its time."""
    deadline = clock.monotonic() + timeout
    before, grown = -1, clock.monotonic()
    while True:
        reader.read(int((since - SKEW) * 1e6), int((time.time() + SKEW) * 1e6))
        now, seen = clock.monotonic(), reader.spans
        if seen == before and (wanted <= reader.stored.keys() or now - grown >= quiet):
            return
        if now >= deadline:
            raise NotReadyError(
                f"spans still came after {timeout:.0f} s: {before:,}, then {seen:,}"
            )
        before, grown = seen, now if seen != before else grown
        clock.sleep(EVERY)


def _first(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:SHOWN]) + (", ..." if len(ids) > SHOWN else "")
