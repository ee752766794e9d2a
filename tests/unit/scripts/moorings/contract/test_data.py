"""What happens to the app and its database at each size, and what is left alone."""

from pathlib import Path

from moorings.contract.checks.data import EVENTS, _events
from moorings.contract.disk import Disk
from moorings.contract.size import Size


def test_what_ci_has_no_time_for_is_left_to_the_full_size(tmp_path: Path) -> None:
    rare = {event.name for event in EVENTS if event.rare}
    often = {event.name for event in EVENTS} - rare | {"a full disk"}
    assert names(Size.CI, Disk(tmp_path)) == often
    assert names(Size.FULL, Disk(tmp_path)) == often | rare | {"a restart of the engine or kubelet"}


def test_what_is_others_is_left_alone() -> None:
    assert "a full disk" not in names(Size.FULL, None)
    assert "a restart of the engine or kubelet" not in names(Size.FULL, None, engine=False)


def names(size: Size, small: Disk | None, engine: bool = True) -> set[str]:
    return {event.name for event in _events(size, small, engine)}
