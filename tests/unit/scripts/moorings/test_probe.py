"""Every wait asks first, sleeps after, and ends at its deadline."""

import pytest

from moorings import ports, probe
from moorings.errors import NotReadyError


class FakeClock:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds
        self.slept.append(seconds)


def test_what_is_there_already_is_not_waited_for() -> None:
    clock = FakeClock()
    assert probe.until(lambda: 0, what="it", timeout=1, clock=clock) == 0
    assert clock.slept == []


def test_it_asks_until_it_is_there() -> None:
    answers = iter([None, None, "yes"])
    clock = FakeClock()
    assert probe.until(lambda: next(answers), what="it", timeout=9, every=2, clock=clock) == "yes"
    assert clock.slept == [2, 2]


def test_the_deadline_names_what_was_seen_last() -> None:
    clock = FakeClock()
    with pytest.raises(NotReadyError, match=r"waited 3 s for it to come \(last: 503\)"):
        probe.until(lambda: None, what="it to come", timeout=3, last=lambda: "503", clock=clock)
    assert clock.now == pytest.approx(3, abs=0.2)


def test_a_closed_port_is_no_answer() -> None:
    with pytest.raises(NotReadyError, match="ConnectError"):
        probe.http(f"http://127.0.0.1:{ports.free('127.0.0.1')}/", what="nobody", timeout=0)
