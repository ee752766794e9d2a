"""When a control has done its duty, and what it does to a server."""

import sys
import time
from pathlib import Path

from moorings.contract.controls import CONTROLS, missed
from moorings.contract.outcome import Outcome, Verdict
from moorings.contract.tamper import Tamper, TamperedRunner

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


def test_another_that_turns_red_is_named() -> None:
    assert missed(NAME, found("fail", "fail")) == [
        "serve.ready (why) turned red, which is not declared"
    ]


def test_a_server_gets_the_environment_of_the_control(tmp_path: Path) -> None:
    log = tmp_path / "log"
    argv = [sys.executable, "-c", "import os; print(sorted(os.environ))"]
    runner = TamperedRunner(Tamper(env={"GONE": "", "NEW": "1"}))
    runner.start(argv, cwd=tmp_path, env={"KEPT": "1", "GONE": "1"}, log=log)
    deadline = time.monotonic() + 10
    while not log.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "'KEPT'" in log.read_text()
    assert "'NEW'" in log.read_text()
    assert "'GONE'" not in log.read_text()
