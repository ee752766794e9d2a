"""What a build is lent of the machine's own ways to packages."""

from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings import packages, users
from moorings.errors import BuildError, CommandError, NeedError
from moorings.layout import Layout
from moorings.packages import Supply
from moorings.runner import Command, Result
from moorings.services import images
from moorings.services.engine import Engine
from moorings.services.images import Bases
from moorings.services.jaeger_build import Build


def test_pip_is_told_where_packages_come_from_and_nothing_else() -> None:
    listed = (
        "global.index-url='https://a.test/simple'\nglobal.cert='/x'\n:env:.proxy='http://b.test'"
    )
    assert images.pip_settings(listed).splitlines() == [
        "[global]",
        "index-url = https://a.test/simple",
        "proxy = http://b.test",
    ]


def test_the_authorities_are_those_that_the_operator_names(tmp_path: Path) -> None:
    named = tmp_path / "ca.pem"
    named.touch()
    assert images.authorities({"PIP_CERT": str(named)}) == {"ca": str(named)}
    gone = images.authorities({"PIP_CERT": str(tmp_path / "gone")})
    assert gone in ({}, {"ca": images.BUNDLE})


class Machine(RecordingRunner):
    """One whose engine has no base image yet, and whose apt knows some suites."""

    def __init__(self, *suites: str) -> None:
        super().__init__()
        self.answers["docker"] = Result(1, "Error: No such image")
        lines = "".join(f"http://a.test/debian {suite}\n" for suite in suites)
        self.answers["apt-get"] = Result(0, lines)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("docker", "apt-get", "debootstrap"):
        (tmp_path / name).touch(0o755)
    monkeypatch.setattr(users, "is_root", lambda: True)
    monkeypatch.setattr(packages, "find", lambda name: str(tmp_path / name)
                        if (tmp_path / name).exists() else "")  # fmt: skip
    return tmp_path


def bases(machine: Machine) -> Bases:
    engine = Engine(machine, Layout(Path("/x"), Path("/x"), "x"), {})
    build = Build(Path("/x"), Path("/x"), machine)
    return Bases(engine, Supply(machine, Path("/x"), root=False), build, "docker.images")


def test_bases_want_debootstrap_as_any_other_package(programs: Path) -> None:
    assert [need.there for need in bases(Machine("bookworm")).needs()] == [True]
    (programs / "debootstrap").unlink()
    (need,) = bases(Machine("bookworm")).needs()
    assert (need.there, need.packages) == (False, ("debootstrap",))
    assert "debootstrap; or docker.images" in need.how


@pytest.mark.parametrize(
    ("suite", "lacks", "what"),
    [("trixie", "", "no source of Debian bookworm"), ("bookworm", "apt-get", "by root, on Debian")],
)
def test_where_none_can_be_made_the_public_ones_are_named(
    programs: Path, suite: str, lacks: str, what: str
) -> None:
    if lacks:
        (programs / lacks).unlink()
    (need,) = bases(Machine(suite)).needs()
    assert what in need.what
    assert (need.there, need.packages) == (False, ())
    assert 'docker.images = "public"' in need.how
    with pytest.raises(NeedError, match=what):
        bases(Machine(suite)).make()


def test_who_is_not_root_makes_none(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "is_root", lambda: False)
    (need,) = bases(Machine("bookworm")).needs()
    assert "by root" in need.what


class Full(Machine):
    """One whose engine has a full disk."""

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        if command.argv[1:2] == ("import",):
            raise CommandError("`docker import` ended", log="write /x: no space left on device")
        return super().finish(command)


@pytest.mark.usefixtures("programs")
def test_what_is_in_the_way_of_a_base_keeps_its_next_step() -> None:
    with pytest.raises(BuildError, match="disk of the Docker engine is full") as full:
        bases(Full("bookworm")).make()
    assert "docker system df" in full.value.hint
