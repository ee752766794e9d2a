"""The events of a load: each meets enough requests, and what was lost is said of the right one."""

from dataclasses import dataclass, field

import pytest

from moorings.contract.checks import crash
from moorings.contract.events import Events
from moorings.contract.load_report import Record, Report
from moorings.contract.outcome import CheckFailed
from moorings.contract.size import Size


@dataclass
class FakeLoad:
    """As many requests have been sent as somebody has waited for."""

    sent: int = 0
    waits: list[tuple[int, float]] = field(default_factory=list)

    def wait(self, requests: int, timeout: float = 30.0) -> None:
        self.waits.append((requests, timeout))
        self.sent += requests


def report(count: int) -> Report:
    return Report(
        tuple(Record("one", "GET /", f"{n:032x}", n / 100, 0.01, 200) for n in range(count))
    )


def test_each_event_meets_enough_and_not_more() -> None:
    load = FakeLoad(sent=200)
    events = Events(load, 5000)  # type: ignore[arg-type]
    events.begin("reload")
    load.sent += 7000
    events.begin("stop")
    events.enough()
    events.enough()
    # Slow deployments have the time for so many, too.
    assert load.waits == [(4800, 480.0), (5000, 500.0)]
    assert events.figure(report(load.sent)) == "steady 5,000, reload 7,000, stop 5,000"


def test_a_small_load_waits_no_longer_than_before() -> None:
    load = FakeLoad(sent=200)
    events = Events(load, Size.CI.requests)  # type: ignore[arg-type]
    events.begin("reload")
    assert load.waits == []
    events.enough()
    assert load.waits == [(200, 30.0)]


def test_what_is_lost_is_said_of_its_event() -> None:
    load = FakeLoad(sent=10)
    events = Events(load, 10)  # type: ignore[arg-type]
    events.begin("reload")
    events.enough()
    lost = {f"{12:032x}", f"{19:032x}", f"{99:032x}"}
    assert events.figure(report(20), lost) == "steady 10, reload 10 (2 lost)"


def test_full_size_is_5000_of_each() -> None:
    assert Size.FULL.requests >= 5000


def test_a_killed_worker_loses_a_batch_and_not_more() -> None:
    # All of one moment, so that only their number can be wrong.
    records = [Record("one", "GET /", f"{n:032x}", 5.0, 0.01, 200) for n in range(1000)]
    lost = [one.trace_id for one in records]
    crash.in_the_batch(Report(tuple(records)), lost[:512], killed=5.0)
    with pytest.raises(CheckFailed, match="513 spans lost, a batch of one worker is 512"):
        crash.in_the_batch(Report(tuple(records)), lost[:513], killed=5.0)
    with pytest.raises(CheckFailed, match="of other times than the kill"):
        crash.in_the_batch(Report(tuple(records)), lost[:1], killed=9.0)
