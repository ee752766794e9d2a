"""What happens under a load, one event after another, and the requests that each of them met."""

from collections import Counter
from collections.abc import Collection

from moorings.contract.load import Load
from moorings.contract.load_report import Report

#: Requests a second that any deployment answers while nothing else happens to it.
LEAST = 10.0


class Events:
    """The events of a load, each until the next one begins; before the first: steady load."""

    def __init__(self, load: Load, requests: int) -> None:
        """Begin with the steady load.

        :param requests: how many each event must meet at least.
        """
        self._load = load
        self._requests = requests
        self._begun = [("steady", 0)]

    def begin(self, name: str) -> None:
        """Begin an event, once the one before has met enough."""
        self.enough()
        self._begun.append((name, self._load.sent))

    def enough(self) -> None:
        """Wait until the event that is on has met as many requests as each must.

        :raises NotReadyError: where it does not in time.
        """
        missing = self._begun[-1][1] + self._requests - self._load.sent
        if missing > 0:
            self._load.wait(missing, timeout=max(30.0, missing / LEAST))

    def figure(self, report: Report, lost: Collection[str] = ()) -> str:
        """Return how many requests each event met, and of how many of them the span is lost."""
        gone = frozenset(lost)
        met, without = Counter[str](), Counter[str]()
        ends = [at for _, at in self._begun[1:]] + [report.sent]
        for (name, at), end in zip(self._begun, ends, strict=True):
            part = report.records[at:end]
            met[name] += len(part)
            without[name] += sum(one.trace_id in gone for one in part)
        return ", ".join(
            f"{name} {count:,}" + (f" ({without[name]:,} lost)" if without[name] else "")
            for name, count in met.items()
        )
