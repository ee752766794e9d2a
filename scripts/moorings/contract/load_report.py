"""What came of a load: every request with its trace id, and the figures made from them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, pairwise
from operator import attrgetter
from typing import Literal

from moorings.contract.load_wire import Kind

#: Failed requests of one kind that are shown.
EXAMPLES = 3

#: Why a load ended: told to, all requests sent, or the time was up.
Ended = Literal["stopped", "requests", "seconds"]


@dataclass(frozen=True, slots=True)
class Record:
    """One request, and what came of it."""

    group: str
    what: str
    """Method and path."""
    trace_id: str
    began: float
    """Seconds since the load began at which it was due; latency counts from here."""
    seconds: float
    """Until the whole answer was there, or it had failed."""
    status: int = 0
    """0 without a whole answer."""
    release: str = ""
    kind: Kind | None = None
    """What is wrong with it; none where it is answered as it should be."""
    came: str = ""
    """What came instead of the answer, in one line."""

    @property
    def ended(self) -> float:
        """Seconds since the load began."""
        return self.began + self.seconds

    def describe(self) -> str:
        """Return request, time and what came, in one line."""
        where = f"{self.began:.2f} s after the start, {self.group}, trace {self.trace_id}"
        return f"{self.what} ({where}): {self.kind or self.status} after {self.seconds:.2f} s" + (
            f": {self.came}" if self.came else ""
        )


@dataclass(frozen=True)
class Report:
    """What came of all requests of a load, or of one group of them."""

    records: tuple[Record, ...]
    """In the order in which they ended."""
    ended: Ended = "stopped"
    since: float = 0.0
    """Seconds since 1970 at which the load began."""
    quiet_closes: int = 0
    """Idle connections that the server closed unannounced, seen in time: another one was opened."""
    connections: int = 0
    """How many were opened."""
    counts: Counter[Kind] = field(init=False)

    def __post_init__(self) -> None:
        """Count the failures."""
        kinds = (one.kind for one in self.records if one.kind is not None)
        object.__setattr__(self, "counts", Counter(kinds))

    @property
    def sent(self) -> int:
        """How many requests were sent, or could not be."""
        return len(self.records)

    @property
    def failed(self) -> int:
        """How many a plain client without retries would call an error."""
        return self.counts.total()

    @property
    def answered(self) -> int:
        """How many were answered as they should be."""
        return self.sent - self.failed

    @cached_property
    def answered_ids(self) -> frozenset[str]:
        """Trace ids of the requests that got a whole answer, whatever it said."""
        return frozenset(one.trace_id for one in self.records if one.status)

    @cached_property
    def failed_ids(self) -> frozenset[str]:
        """Trace ids of those without a whole answer: the server may have seen them or not."""
        return frozenset(one.trace_id for one in self.records) - self.answered_ids

    @cached_property
    def statuses(self) -> Counter[int]:
        """How often each status came."""
        return Counter(one.status for one in self.records if one.status)

    @cached_property
    def releases(self) -> tuple[str, ...]:
        """The releases that answered, in the order in which each was first seen."""
        return tuple(dict.fromkeys(one.release for one in self.records if one.release))

    @cached_property
    def latencies(self) -> tuple[float, ...]:
        """Seconds of the requests that were answered as they should be, sorted."""
        return tuple(sorted(one.seconds for one in self.records if one.kind is None))

    def latency(self, percent: float) -> float:
        """Return the seconds within which this share of the requests was answered; 100: all."""
        if not self.latencies:
            return 0.0
        return self.latencies[max(0, round(len(self.latencies) * percent / 100) - 1)]

    @property
    def stall(self) -> float:
        """The longest time in seconds in which requests were waiting and none was answered."""
        return _stall(self.records)

    def group(self, name: str) -> "Report":
        """Return the part of one group; what is counted of connections stays that of all."""
        return replace(self, records=tuple(one for one in self.records if one.group == name))

    def examples(self, kind: Kind) -> list[str]:
        """Return the first few failures of a kind, a line each."""
        found = (one for one in self.records if one.kind is kind)
        return [one.describe() for one, _ in zip(found, range(EXAMPLES), strict=False)]

    def summary(self) -> str:
        """Return the figure of a check: the failed of all."""
        return f"{self.failed:,} failed of {self.sent:,}"

    def describe(self) -> str:
        """Return the figure, then each kind of failure with its first examples."""
        lines = [self.summary()]
        for kind, count in self.counts.most_common():
            lines += [f"{count:,} {kind}:", *(f"  {line}" for line in self.examples(kind))]
        if self.quiet_closes:
            lines.append(f"{self.quiet_closes:,} idle connections closed without notice")
        return "\n".join(lines)


def _stall(records: Iterable[Record]) -> float:
    """Return the longest pause between two answers, counted from when something waited."""
    by_end = sorted(records, key=attrgetter("ended"))
    if not by_end:
        return 0.0
    waiting = list(accumulate((one.began for one in reversed(by_end)), min))[::-1]
    answers = [at for at, one in enumerate(by_end) if one.kind is None or at == len(by_end) - 1]
    pauses = [by_end[answers[0]].ended - waiting[0]]
    for before, after in pairwise(answers):
        since = max(by_end[before].ended, waiting[before + 1])
        pauses.append(by_end[after].ended - since)
    return max(pauses)
