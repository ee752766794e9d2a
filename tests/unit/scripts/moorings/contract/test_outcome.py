"""What a check may say, and when."""

from dataclasses import replace

import pytest

from moorings.contract.column import Column
from moorings.contract.outcome import CheckFailed, Limit, Skipped, claim, judge
from moorings.contract.registry import Check
from moorings.contract.wire import Answer
from moorings.errors import NotReadyError

LIMIT = Limit("the server cannot", "https://example.org/why", "always", "1 failed")


def passes(_column: Column) -> str:
    return "0 failed of 3"


def fails(_column: Column) -> str:
    raise CheckFailed("1 failed of 3", Answer("GET", "http://app/", 500, {"a": "b"}, b"oh"))


def lacks(_column: Column) -> str:
    raise Skipped("nginx is not installed", hint="apt-get install nginx-light")


def waits(_column: Column) -> str:
    raise NotReadyError("waited 5 s for it", log="last line")


def stumbles(_column: Column) -> str:
    raise KeyError("pid")


def check(run: object) -> Check:
    return Check("fake.check", "it is a fake", run)  # type: ignore[arg-type]


def test_a_pass_has_its_figure() -> None:
    verdict = judge(check(passes), Column("fake"))
    assert (verdict.outcome, verdict.figure, verdict.reason) == ("pass", "0 failed of 3", "")
    assert not verdict.red


def test_a_failure_shows_request_and_answer() -> None:
    verdict = judge(check(fails), Column("fake"))
    assert (verdict.outcome, verdict.reason, verdict.red) == ("fail", "1 failed of 3", True)
    assert verdict.details == "> GET http://app/\n< 500\n< a: b\noh"


def test_a_failure_of_moor_shows_its_log() -> None:
    verdict = judge(check(waits), Column("fake"))
    assert (verdict.outcome, verdict.details) == ("fail", "last line")


def test_a_bug_is_a_failure_with_its_traceback() -> None:
    verdict = judge(check(stumbles), Column("fake"))
    assert (verdict.outcome, verdict.reason) == ("fail", "KeyError: 'pid'")
    assert "stumbles" in verdict.details
    assert (verdict.broke, verdict.red) == (True, False)


def test_a_need_that_the_column_cannot_have() -> None:
    needy = replace(check(fails), needs=frozenset({"store", "runtime"}))
    verdict = judge(needy, Column("fake", has=frozenset({"runtime"})))
    assert (verdict.outcome, verdict.reason) == ("n/a", "needs the sample store as the app")
    assert judge(needy, Column("fake", has=frozenset({"runtime", "store"}))).outcome == "fail"


@pytest.mark.parametrize(("ci", "outcome"), [(False, "skip"), (True, "fail")])
def test_a_missing_tool_is_a_skip_and_in_ci_an_error(ci: bool, outcome: str) -> None:
    verdict = judge(check(lacks), Column("fake"), ci=ci)
    assert (verdict.outcome, verdict.reason) == (outcome, "skipped: nginx is not installed")


def test_a_known_limit_is_shown_and_red_for_a_control() -> None:
    verdict = judge(check(fails), Column("fake", limits={"fake.check": LIMIT}))
    assert (verdict.outcome, verdict.figure) == ("limit", "1 failed of 3")
    assert verdict.reason == "the server cannot (https://example.org/why)"
    assert verdict.red


def test_a_limit_excuses_no_other_failure() -> None:
    other = replace(LIMIT, shows="no answer")
    verdict = judge(check(fails), Column("fake", limits={"fake.check": other}))
    assert (verdict.outcome, verdict.reason) == ("fail", "1 failed of 3")


def test_a_limit_excuses_no_bug_of_the_check() -> None:
    column = Column("fake", limits={"fake.check": LIMIT})
    assert judge(check(stumbles), column).outcome == "fail"


def test_a_limit_that_no_longer_occurs_is_an_error() -> None:
    verdict = judge(check(passes), Column("fake", limits={"fake.check": LIMIT}))
    assert verdict.outcome == "fail"
    assert verdict.reason == "the known limit no longer occurs: the server cannot"


def test_a_limit_that_shows_sometimes_may_stay_away() -> None:
    rare = replace(LIMIT, always=False)
    assert judge(check(passes), Column("fake", limits={"fake.check": rare})).outcome == "pass"


def test_a_limit_of_another_column_is_none_here() -> None:
    there = replace(LIMIT, columns=frozenset({"gunicorn-sync"}))
    assert judge(check(fails), Column("fake", limits={"fake.check": there})).outcome == "fail"
    assert judge(check(passes), Column("fake", limits={"fake.check": there})).outcome == "pass"


def test_a_claim_that_holds_says_nothing() -> None:
    claim(True, "never said")
    with pytest.raises(CheckFailed, match="said"):
        claim(False, "said")
