"""A package is installed where moor was told to, by the rights it needs, and is remembered."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings import machine, packages
from moorings.packages import Supply
from moorings.runner import Result
from moorings.target import Need

MISSING = Need("nginx is not installed", False, "as root: apt-get", ("nginx",))
APT = ["apt-get", "install", "--yes", "--no-install-recommends", "nginx"]

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs Debian's apt-get")


class Debian(RecordingRunner):
    """A machine on which the first try fails where its lists of packages are old."""

    def __init__(self, old_lists: bool = False) -> None:
        super().__init__()
        self.there = {"base-files"}
        self.old_lists = old_lists

    def run(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, **how: Any
    ) -> Result:
        super().run(argv, env=env, **how)
        if argv[0] == "dpkg-query":
            return Result(0, "".join(f"ii  {name}\n" for name in self.there))
        if argv[1] == "update":
            self.old_lists = False
        elif argv[1] == "install":
            if self.old_lists:
                return Result(100)
            self.there |= {"nginx", "nginx-common"}
        return Result(0)


@pytest.mark.parametrize("old_lists", [False, True])
def test_it_is_installed_and_remembered(tmp_path: Path, old_lists: bool) -> None:
    runner = Debian(old_lists)
    assert Supply(runner, tmp_path, yes=True, root=True)(MISSING)
    assert [argv for argv in runner.argvs if argv[1] == "install"] == [APT] * (1 + old_lists)
    (item,) = machine.items(tmp_path)
    assert item.undo == ["apt-get", "purge", "--yes", "nginx", "nginx-common"]


@pytest.mark.parametrize(
    ("yes", "root", "need"),
    [
        (False, True, MISSING),
        (True, False, MISSING),
        (True, True, Need("port 80 is taken", False, "stop it")),
    ],
)
def test_nothing_is_installed_unasked(
    tmp_path: Path, yes: bool, root: bool, need: Need, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    runner = Debian()
    assert not Supply(runner, tmp_path, yes=yes, root=root)(need)
    assert runner.ran == []
    assert machine.items(tmp_path) == []


def test_what_is_missing_names_the_line_that_gets_it() -> None:
    need = packages.need("no-such-program", "nginx")
    assert not need.there
    assert need.how == f"as root: {' '.join(APT)}"
    assert packages.need("sh", "dash").there
