"""When a control has done its duty, and what it does to a server."""

from moorings import targets
from moorings.contract.controls import CONTROLS, missed
from moorings.contract.outcome import Outcome, Verdict

NAME = "a short grace"


def found(ready: Outcome, running: Outcome) -> dict[str, Verdict]:
    """Return the verdicts of a control that must redden drain.running alone."""
    return {
        "serve.ready": Verdict("serve.ready", ready, reason="why"),
        "drain.running": Verdict("drain.running", running, "0 failed of 4"),
    }


def test_exactly_the_declared_ones_are_red() -> None:
    assert CONTROLS[NAME].reddens == {"drain.running"}
    assert missed(NAME, found("pass", "fail")) == []
    assert missed(NAME, found("pass", "limit")) == []


def test_a_check_that_stays_green_is_named() -> None:
    assert missed(NAME, found("pass", "pass")) == [
        "drain.running did not turn red: pass 0 failed of 4"
    ]
    assert missed(NAME, found("pass", "n/a")) != []


def test_a_check_that_came_to_no_verdict_has_caught_nothing() -> None:
    broke = {**found("pass", "fail"), "drain.running": Verdict(
        "drain.running", "fail", reason="AssertionError", broke=True)}  # fmt: skip
    assert missed(NAME, broke) == ["drain.running did not turn red: fail AssertionError"]


def test_a_limit_that_every_run_has_is_no_catch() -> None:
    """On moor's own cluster secure.policy is a known limit, whatever a control has changed."""
    name, ready = "pods with a token", Verdict("serve.ready", "pass")

    def judged(outcome: Outcome, reason: str) -> list[str]:
        return missed(name, {ready.id: ready, "secure.policy": Verdict(
            "secure.policy", outcome, reason=reason)})  # fmt: skip

    assert judged("fail", "a token is in app-1") == []
    assert judged("limit", "gateway reaches postgres, which no NetworkPolicy allows") != []


def test_another_that_turns_red_is_named() -> None:
    assert missed(NAME, found("fail", "fail")) == [
        "serve.ready (why) turned red, which is not declared"
    ]


def test_a_control_is_of_a_target_that_exists() -> None:
    assert {control.target for control in CONTROLS.values()} <= set(targets.names())
