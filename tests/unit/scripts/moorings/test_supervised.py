"""What a supervisor wrote down is taken only where it is whole."""

import json
import os
import signal
from pathlib import Path

import pytest

from moorings import supervisor
from moorings.errors import MoorError
from moorings.runner import User
from moorings.supervised import Supervised

WHOLE = {
    "name": "a", "pid": 1, "began": 1, "good": True, "stopping": False, "deaths": 0,
    "about": {"version": "v1", "commit": "", "settings": "", "bind": "127.0.0.1:1"},
}  # fmt: skip


def write(home: Path, state: object) -> Path:
    (home / "supervisor").mkdir()
    file = home / "supervisor" / "state.json"
    file.write_text(json.dumps(state))
    return file


def with_master(**changed: object) -> dict[str, object]:
    return {"pid": 1, "began": 1, "masters": [{**WHOLE, **changed}]}


def saying(**changed: object) -> dict[str, object]:
    return with_master(about={**WHOLE["about"], **changed})


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
        with_master(pid="1"),
        with_master(name="../../etc"),
        with_master(name=".."),
        with_master(name=3),
        with_master(about={}),
        with_master(ends_by=signal.SIGKILL),
        saying(version="../../../etc"),
        saying(version="/etc"),
        saying(bind="unix:passwd"),
        saying(commit=3),
    ],
)
def test_what_is_not_whole_is_nothing(tmp_path: Path, runner, state: object) -> None:
    write(tmp_path, state)
    supervised = Supervised(tmp_path, runner, None)
    assert supervised.process() is None
    assert supervised.masters() == []


@pytest.mark.parametrize("ends_by", [signal.SIGTERM, signal.SIGQUIT, signal.SIGWINCH])
def test_each_server_ends_by_its_own_signal(tmp_path: Path, runner, ends_by: int) -> None:
    write(tmp_path, with_master(ends_by=ends_by))
    assert [one.ends_by for one in Supervised(tmp_path, runner, None).masters()] == [ends_by]


def test_what_is_whole_is_read_with_more_than_is_known(tmp_path: Path, runner) -> None:
    state = with_master(more=1, folder="/etc")
    write(tmp_path, state)
    (master,) = Supervised(tmp_path, runner, None).masters()
    assert (master.name, master.folder) == ("a", tmp_path / "run" / "a")


def test_a_process_of_somebody_else_is_not_believed(tmp_path: Path, runner) -> None:
    me = {"pid": os.getpid(), "began": supervisor.began(os.getpid())}
    write(tmp_path, {**me, "masters": [{**WHOLE, **me}]})
    mine = Supervised(tmp_path, runner, User("me", os.geteuid(), os.getegid()))
    assert mine.process() is not None
    assert mine.good() is not None
    other = Supervised(tmp_path, runner, User("other", os.geteuid() + 1, os.getegid()))
    assert other.process() is None
    assert other.good() is None


def test_a_state_behind_a_link_is_refused(tmp_path: Path, runner) -> None:
    file = write(tmp_path, with_master())
    file.symlink_to(file.rename(tmp_path / "elsewhere"))
    with pytest.raises(MoorError, match="is not opened"):
        Supervised(tmp_path, runner, None).masters()
