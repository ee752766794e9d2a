"""What the service's user may put in root's way is not followed, and not waited for."""

import os
import stat
from pathlib import Path

import pytest

from moorings import guarded, users
from moorings.errors import MoorError
from moorings.logfile import tail
from moorings.runner import LocalRunner, User


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    made = tmp_path / "secret"
    made.write_text("old\n")
    return made


@pytest.mark.parametrize("kind", ["link", "name", "pipe", "folder"])
def test_only_a_plain_file_is_opened(tmp_path: Path, secret: Path, kind: str) -> None:
    trap = tmp_path / "trap"
    {
        "link": lambda: trap.symlink_to(secret),
        "name": lambda: trap.hardlink_to(secret),
        "pipe": lambda: os.mkfifo(trap),
        "folder": trap.mkdir,
    }[kind]()
    with pytest.raises(MoorError, match="trap is not opened"):
        guarded.appending(trap)
    with pytest.raises(MoorError, match="trap is not opened"):
        tail(trap, 1)


def test_the_log_of_a_program_is_no_link(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "log").symlink_to(secret)
    with pytest.raises(MoorError, match="log is not opened"):
        LocalRunner().start(["echo", "new"], cwd=tmp_path, env={}, log=tmp_path / "log")
    assert secret.read_text() == "old\n"


def test_a_link_is_replaced_by_what_is_left(tmp_path: Path, secret: Path) -> None:
    place = tmp_path / "drain"
    place.symlink_to(secret)
    guarded.leave(place, "new", None)
    assert secret.read_text() == "old\n"
    assert place.read_text() == "new"
    assert stat.S_IMODE(place.lstat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_link_is_given_away_and_not_its_goal(tmp_path: Path, secret: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(secret)
    users.own(link, User("other", 65534, 65534))
    assert (link.lstat().st_uid, secret.stat().st_uid) == (65534, 0)
