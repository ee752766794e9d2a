"""The operator asks the service's own rule how many workers fit."""

from pathlib import Path

import pytest

from moorings import capacity
from moorings.errors import CommandError
from moorings.settings import Server, Settings
from runtime.capacity import measure

ROOT = Path(__file__).parents[4]


def test_what_is_set_is_taken() -> None:
    settings = Settings(root=ROOT, server=Server(workers=7))
    assert (capacity.workers(settings), capacity.explained(settings)) == (7, "7")


def test_nothing_set_follows_the_rule_of_the_service() -> None:
    settings, rule = Settings(root=ROOT), measure()
    assert capacity.workers(settings) == rule.workers
    assert capacity.explained(settings) == f"{rule.workers} (auto: {rule.why})"


def test_a_rule_that_cannot_be_asked_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"gone\.py does not say"):
        capacity._fitting(tmp_path / "gone.py")


def test_a_machine_too_busy_to_say_is_no_traceback(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text("import signal; signal.pause()")
    with pytest.raises(CommandError, match=r"did not say within 0\.2 s"):
        capacity._fitting(slow, 0.2)
