"""The policy of a deploy, seen on a target that writes down what is asked of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from moorings import lifecycle
from moorings.errors import BuildError, CommandError, LockedError, MoorError, NeedError
from moorings.lifecycle import Plan
from moorings.lock import Lock
from moorings.target import Need, Release

OLD = Release("old", "", "a")
NEW = Release("new", "", "b")


class Recorder:
    """A target whose primitives do nothing but say that they were called."""

    name = column = "recorder"

    def __init__(self, live: Release | None = OLD, fails: str = "") -> None:
        self.calls: list[str] = []
        self._live = live
        self._fails = fails
        self.error: BaseException = BuildError("broken")
        self.missing: list[Need] = []

    def __getattr__(self, primitive: str) -> Callable[..., None]:
        def call(*arguments: object) -> None:
            words = [getattr(one, "version", str(one)) for one in arguments]
            self.calls.append(" ".join([primitive, *words]))
            if primitive == self._fails:
                raise self.error
            if primitive == "switch":
                self._live = NEW

        return call

    def live(self) -> Release | None:
        return self._live

    def needs(self) -> list[Need]:
        return self.missing

    def logs(self, lines: int = 100, release: Release | None = None) -> str:
        return "last words"


def plan(tmp_path: Path, proved: BaseException | None = None) -> Plan:
    def prove(target: object, release: Release, timeout: float) -> None:
        if proved:
            raise proved

    return Plan(Lock(tmp_path / "lock"), "migrate it", boot_timeout=1, prove=prove)


def test_a_good_release_takes_over_in_order(tmp_path: Path) -> None:
    target = Recorder()
    assert lifecycle.deploy(target, NEW, plan(tmp_path)) is True
    assert target.calls == [
        "build new",
        "migrate new migrate it",
        "start new",
        "switch new",
        "retire old",
    ]


def test_another_configuration_of_the_same_version_retires_the_old_one(tmp_path: Path) -> None:
    target = Recorder(live=Release("new", "", "other settings"))
    assert lifecycle.deploy(target, NEW, plan(tmp_path)) is True
    assert target.calls[-2:] == ["switch new", "retire new"]


def test_the_same_release_changes_nothing(tmp_path: Path) -> None:
    target = Recorder(live=NEW)
    assert lifecycle.deploy(target, NEW, plan(tmp_path)) is False
    assert target.calls == []


@pytest.mark.parametrize("error", [MoorError("no"), KeyboardInterrupt(), SystemExit(143)])
def test_one_that_is_not_proved_never_takes_traffic(tmp_path: Path, error: BaseException) -> None:
    target = Recorder()
    with pytest.raises(type(error)):
        lifecycle.deploy(target, NEW, plan(tmp_path, proved=error))
    assert target.calls[-1] == "retire new"
    assert not any(call.startswith("switch") for call in target.calls)


def test_the_failure_shows_the_last_words_and_who_serves_on(tmp_path: Path) -> None:
    with pytest.raises(MoorError) as caught:
        lifecycle.deploy(Recorder(), NEW, plan(tmp_path, proved=MoorError("not ready")))
    assert caught.value.log == "last words"
    assert "release old was not touched" in caught.value.hint


@pytest.mark.parametrize("primitive", ["build", "migrate"])
def test_what_fails_before_the_start_starts_nothing(tmp_path: Path, primitive: str) -> None:
    target = Recorder(fails=primitive)
    with pytest.raises(BuildError):
        lifecycle.deploy(target, NEW, plan(tmp_path))
    assert not any(call.startswith(("start", "switch")) for call in target.calls)


def test_a_failed_migration_says_its_last_line(tmp_path: Path) -> None:
    target = Recorder(fails="migrate")
    target.error = CommandError("ended with status 1", log="looking\nno such table: carts\n")
    with pytest.raises(CommandError) as caught:
        lifecycle.deploy(target, NEW, plan(tmp_path))
    assert caught.value.fact == "the migration failed: no such table: carts"
    assert "release old was not touched" in caught.value.hint
    assert target.calls[-1] == "retire new"


def test_a_missing_need_stops_it_before_any_work(tmp_path: Path) -> None:
    target = Recorder()
    target.missing = [Need("nginx", False, "apt-get install nginx-light")]
    with pytest.raises(NeedError, match="nginx"):
        lifecycle.deploy(target, NEW, plan(tmp_path))
    assert target.calls == []


def test_a_second_deploy_names_the_holder(tmp_path: Path) -> None:
    chosen = plan(tmp_path)
    with chosen.lock.held("deploy old"), pytest.raises(LockedError, match="deploy old, by "):
        lifecycle.deploy(Recorder(), NEW, chosen)


def test_the_lock_is_free_after_a_failure(tmp_path: Path) -> None:
    chosen = plan(tmp_path, proved=MoorError("no"))
    for _ in range(2):
        with pytest.raises(MoorError, match="no"):
            lifecycle.deploy(Recorder(), NEW, chosen)
