"""What a supervisor wrote down is taken only where it is whole."""

import json
from pathlib import Path

import pytest

from moorings.supervised import Supervised

WHOLE = {
    "name": "a", "pid": 1, "began": 1, "good": True, "stopping": False, "deaths": 0, "about": {},
}  # fmt: skip


@pytest.mark.parametrize(
    "state",
    [
        None,
        3,
        {},
        {"pid": 1},
        {"pid": "1", "began": 1, "masters": []},
        {"pid": 1, "began": 1, "masters": 3},
        {"pid": 1, "began": 1, "masters": [3]},
        {"pid": 1, "began": 1, "masters": [{"pid": 1}]},
        {"pid": 1, "began": 1, "masters": [{**WHOLE, "pid": "1"}]},
    ],
)
def test_what_is_not_whole_is_nothing(tmp_path: Path, runner, state: object) -> None:
    (tmp_path / "state.json").write_text(json.dumps(state))
    supervised = Supervised(tmp_path, runner, None)
    assert supervised.process() is None
    assert supervised.masters() == []


def test_what_is_whole_is_read_with_more_than_is_known(tmp_path: Path, runner) -> None:
    state = {"pid": 1, "began": 1, "masters": [{**WHOLE, "more": 1}]}
    (tmp_path / "state.json").write_text(json.dumps(state))
    assert [one.name for one in Supervised(tmp_path, runner, None).masters()] == ["a"]
