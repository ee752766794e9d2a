"""How long a moment lasted in which requests failed."""

from moorings.contract.checks.renew import _lasted, _parted
from moorings.contract.load_report import Record, Report
from moorings.contract.load_wire import Kind


def record(began: float, seconds: float, kind: Kind | None = None) -> Record:
    return Record("near", "GET /", "", began, seconds, 200, "", kind)


REFUSED = next(iter(Kind))
REPORT = Report((record(0, 1), record(4.5, 0.5, REFUSED), record(5, 0.5, REFUSED), record(6, 1)))


def test_it_lasted_from_the_first_failure_to_the_end_of_the_last() -> None:
    assert _lasted(REPORT) == 1.0
    assert _lasted(Report((record(0, 1),))) == 0.0


def test_what_ended_before_a_moment_is_judged_apart() -> None:
    free, paid = _parted(REPORT, 4.0)
    assert (free.sent, free.failed) == (1, 0)
    assert (paid.sent, paid.failed) == (3, 2)
