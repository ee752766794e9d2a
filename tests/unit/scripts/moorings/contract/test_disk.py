"""A disk that a check fills: only the lack of room is what it is after."""

import os
from pathlib import Path

import pytest

from moorings import users
from moorings.contract import disk


def test_it_writes_until_there_is_no_room() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        disk._write(full, b"x")
    finally:
        os.close(full)


def test_another_fault_is_told(tmp_path: Path) -> None:
    (tmp_path / "read").touch()
    read_only = os.open(tmp_path / "read", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Bad file descriptor"):
            disk._write(read_only, b"x")
    finally:
        os.close(read_only)


def test_who_may_mount_none_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "is_root", lambda: False)
    with disk.small() as small:
        assert small is None
