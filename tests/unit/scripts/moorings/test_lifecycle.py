"""The policy of a deploy, seen on a target that writes down what is asked of it."""

import errno
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from moorings import lifecycle
from moorings.errors import BuildError, CommandError, LockedError, MoorError, NeedError
from moorings.history import History
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
        self.here = {"old"}
        self.lost: list[str] = []
        self.costs: list[str] = []
        self.doing: list[str] = []
        self.other: LockedError | None = None
        self.parts: tuple[str, ...] = ()
        self.back: Release | None = None

    def __getattr__(self, primitive: str) -> Callable[..., None]:
        def call(*arguments: object) -> None:
            words = [getattr(one, "version", str(one)) for one in arguments]
            self.calls.append(" ".join([primitive, *words]))
            if primitive == self._fails:
                raise self.error
            if primitive == "switch":
                self._live = arguments[0]
            if primitive == "build":
                self.here.add(words[0])
            if primitive == "remove":
                self.here.discard(words[0])

        return call

    def live(self) -> Release | None:
        return self._live

    def needs(self) -> list[Need]:
        return self.missing

    def strays(self) -> list[str]:
        return self.lost

    def interrupts(self) -> list[str]:
        return self.costs

    def beside(self) -> tuple[str, ...]:
        return self.parts

    def outlived(self) -> Release | None:
        return self.back

    def held(self, doing: str) -> AbstractContextManager[None]:
        self.doing.append(doing)
        if self.other is not None:
            raise self.other
        return nullcontext()

    def built(self) -> set[str]:
        return set(self.here)

    def logs(self, lines: int = 100, release: Release | None = None) -> str:
        return "last words"


def plan(tmp_path: Path, proved: BaseException | None = None) -> Plan:
    def prove(target: object, release: Release, timeout: float) -> None:
        if proved:
            raise proved

    lock, record = Lock(tmp_path / "lock"), History(tmp_path)
    if not record.entries():
        record.served(OLD, None)
    return Plan(lock, record, "migrate it", boot_timeout=1, prove=prove, window=0)


def test_a_good_release_takes_over_in_order(tmp_path: Path) -> None:
    target = Recorder()
    assert lifecycle.deploy(target, NEW, plan(tmp_path)) is not None
    assert target.calls == [
        "build new",
        "renew",
        "migrate new migrate it",
        "start new",
        "switch new",
        "retire old",
    ]


@pytest.mark.parametrize("back", [OLD, None])
def test_what_was_not_known_to_serve_and_is_back_is_retired_too(
    tmp_path: Path, back: Release | None
) -> None:
    target = Recorder(live=None)
    target.back = back
    assert lifecycle.deploy(target, NEW, plan(tmp_path)) is not None
    assert target.calls[4:] == ["switch new", *(["retire old"] if back else [])]


def test_what_goes_wrong_as_it_is_retired_fails_no_release(tmp_path: Path) -> None:
    target, made = Recorder(live=None, fails="retire"), plan(tmp_path)
    target.back = OLD
    with pytest.raises(BuildError):
        lifecycle.deploy(target, NEW, made)
    assert target.live() == NEW
    assert states(made)[0] == ("new", False)


def test_another_configuration_of_the_same_version_retires_the_old_one(tmp_path: Path) -> None:
    target = Recorder(live=Release("new", "", "other settings"))
    assert lifecycle.deploy(target, NEW, plan(tmp_path)) is not None
    assert target.calls[-2:] == ["switch new", "retire new"]


def test_the_same_release_changes_nothing(tmp_path: Path) -> None:
    target = Recorder(live=NEW)
    assert lifecycle.deploy(target, NEW, plan(tmp_path)) is None
    assert target.calls == ["renew"]


def test_what_it_takes_to_ask_what_serves_is_supplied_first(tmp_path: Path) -> None:
    target = Recorder(live=NEW)
    target.missing = [Need("no engine", False, "start one")]
    target.live = Asleep(target)  # type: ignore[method-assign]
    with pytest.raises(NeedError, match="no engine"):
        lifecycle.deploy(target, NEW, plan(tmp_path))
    supplied = replace(plan(tmp_path), supply=target.live.wake)
    assert lifecycle.deploy(target, NEW, supplied) is None


class Asleep:
    """Refuses to say what serves until it is woken."""

    def __init__(self, target: Recorder) -> None:
        self.awake, self.target = False, target

    def wake(self, need: Need) -> bool:
        self.awake = True
        return True

    def __call__(self) -> Release | None:
        if not self.awake:
            raise NeedError("no engine answers")
        return NEW


@pytest.mark.parametrize(
    ("parts", "left"),
    [(("jaeger", "postgres"), "jaeger and postgres run on until ./moor down recorder"),
     ((), "nothing was left running")],
)  # fmt: skip
def test_a_first_deploy_that_fails_says_what_runs_on(
    tmp_path: Path, parts: tuple[str, ...], left: str
) -> None:
    target = Recorder(live=None, fails="start")
    target.parts = parts
    with pytest.raises(BuildError) as failed:
        lifecycle.deploy(target, NEW, plan(tmp_path))
    assert failed.value.hint.endswith(f"; {left}")


def test_what_cannot_be_asked_any_more_hides_no_reason(tmp_path: Path) -> None:
    target = Recorder(live=None, fails="start")
    target.error = CommandError("broken")
    answers = iter([None])

    def live() -> Release | None:
        for answer in answers:
            return answer
        raise NeedError("no engine answers")

    target.live = live  # type: ignore[method-assign]
    with pytest.raises(CommandError, match="broken") as failed:
        lifecycle.deploy(target, NEW, plan(tmp_path))
    assert "what runs on is not known: no engine answers" in failed.value.hint


def test_a_stop_says_what_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = Recorder(live=OLD)
    with pytest.raises(KeyboardInterrupt):
        lifecycle.deploy(target, NEW, plan(tmp_path, KeyboardInterrupt()))
    said = " ".join(capsys.readouterr().err.split())
    assert "release new was stopped; its migration had ended; release old was not" in said


@pytest.mark.parametrize("error", [MoorError("no"), KeyboardInterrupt(), SystemExit(143)])
def test_one_that_is_not_proved_never_takes_traffic(tmp_path: Path, error: BaseException) -> None:
    target = Recorder()
    with pytest.raises(type(error)):
        lifecycle.deploy(target, NEW, plan(tmp_path, proved=error))
    assert target.calls[-2:] == ["retire new", "remove new"]
    assert not any(call.startswith("switch") for call in target.calls)


def test_the_failure_shows_the_last_words_and_who_serves_on(tmp_path: Path) -> None:
    with pytest.raises(MoorError) as caught:
        lifecycle.deploy(Recorder(), NEW, plan(tmp_path, proved=MoorError("not ready")))
    assert caught.value.log == "last words"
    assert "release old was not touched" in caught.value.hint


def test_a_failure_of_the_clean_up_does_not_hide_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = plan(tmp_path, proved=MoorError("not ready"))
    with pytest.raises(MoorError, match="not ready"):
        lifecycle.deploy(Recorder(fails="retire"), NEW, made)
    assert [entry.version for entry in made.history.entries() if entry.failed] == ["new"]
    assert "not all of release new was taken away: broken" in capsys.readouterr().err


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
    assert target.calls[-2:] == ["retire new", "remove new"]


def test_a_missing_need_stops_it_before_any_work(tmp_path: Path) -> None:
    target = Recorder()
    target.missing = [Need("nginx", False, "apt-get install nginx-light")]
    with pytest.raises(NeedError, match="nginx"):
        lifecycle.deploy(target, NEW, plan(tmp_path))
    assert target.calls == []


@pytest.mark.parametrize("verb", [lifecycle.deploy, lifecycle.rollback])
def test_what_runs_without_its_state_stops_it_before_any_work(tmp_path: Path, verb) -> None:
    target = Recorder(live=None)
    target.lost = ["12", "13"]
    with pytest.raises(MoorError, match="its state is gone: processes 12, 13") as caught:
        verb(target, NEW, plan(tmp_path))
    assert "./moor down recorder" in caught.value.hint
    assert target.calls == []


def test_what_the_system_refuses_is_told_with_who_serves_on(tmp_path: Path) -> None:
    target = Recorder(fails="build")
    target.error = OSError(errno.ENOSPC, "No space left on device", "/full")
    with pytest.raises(MoorError, match="/full: No space left on device") as caught:
        lifecycle.deploy(target, NEW, plan(tmp_path))
    assert "free some space" in caught.value.hint
    assert "release old was not touched" in caught.value.hint


def test_a_second_deploy_names_the_holder(tmp_path: Path) -> None:
    chosen = plan(tmp_path)
    with chosen.lock.held("deploy old"), pytest.raises(LockedError, match="deploy old, by "):
        lifecycle.deploy(Recorder(), NEW, chosen)


def test_the_lock_is_free_after_a_failure(tmp_path: Path) -> None:
    chosen = plan(tmp_path, proved=MoorError("no"))
    for _ in range(2):
        with pytest.raises(MoorError, match="no"):
            lifecycle.deploy(Recorder(), NEW, chosen)


def states(chosen: Plan) -> list[tuple[str, bool]]:
    return [(one.version, one.failed) for one in chosen.history.entries()]


def test_it_is_recorded_and_timed(tmp_path: Path) -> None:
    chosen = plan(tmp_path)
    change = lifecycle.deploy(Recorder(), NEW, chosen)
    assert change is not None
    assert set(change.seconds) == {
        "build", "migrate", "proof", "window", "switch", "drain", "total"
    }  # fmt: skip
    assert states(chosen) == [("new", False), ("old", False)]
    assert chosen.history.entries()[0].before == "old"
    assert chosen.history.last()["outcome"] == "done"


def test_a_failed_one_is_recorded_as_that(tmp_path: Path) -> None:
    chosen = plan(tmp_path, proved=MoorError("no"))
    with pytest.raises(MoorError):
        lifecycle.deploy(Recorder(), NEW, chosen)
    assert states(chosen) == [("new", True), ("old", False)]
    assert chosen.history.last()["outcome"] == "failed: no"


def test_a_kept_release_that_fails_again_keeps_its_code(tmp_path: Path) -> None:
    target = Recorder(live=NEW)
    target.here.add("new")
    other = Release("old", "", "other settings")
    with pytest.raises(MoorError):
        lifecycle.deploy(target, other, plan(tmp_path, proved=MoorError("no")))
    assert target.here == {"old", "new"}


def test_what_is_older_than_five_releases_goes(tmp_path: Path) -> None:
    target, chosen = Recorder(), plan(tmp_path)
    target.here.add("unknown")
    for name in "abcde":
        lifecycle.deploy(target, Release(name, "", "b"), chosen)
    assert target.here == set("abcde")


def test_a_rollback_neither_builds_nor_migrates(tmp_path: Path) -> None:
    target = Recorder(live=NEW)
    assert lifecycle.rollback(target, OLD, plan(tmp_path)) is not None
    assert target.calls == ["accepts old", "start old", "switch old", "retire new"]


def test_a_release_that_does_not_know_the_data_is_not_started(tmp_path: Path) -> None:
    target = Recorder(live=NEW, fails="accepts")
    target.error = CommandError("ended with status 1", log="the schema is past it by 0009\n")
    with pytest.raises(CommandError) as caught:
        lifecycle.rollback(target, OLD, plan(tmp_path))
    assert caught.value.fact == "release old refuses: the schema is past it by 0009"
    assert "release new was not touched" in caught.value.hint
    assert not any(call.startswith(("start", "switch", "remove")) for call in target.calls)


def test_a_rollback_to_the_live_one_changes_nothing(tmp_path: Path) -> None:
    target = Recorder()
    other = Release("old", "", "other settings")
    assert lifecycle.rollback(target, other, plan(tmp_path)) is None
    assert target.calls == []


def test_ctrl_c_in_the_drain_leaves_the_new_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, chosen = Recorder(fails="retire"), plan(tmp_path)
    target.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        lifecycle.deploy(target, NEW, chosen)
    assert target.live() == NEW
    assert target.here == {"old", "new"}
    assert states(chosen)[0] == ("new", False)
    assert chosen.history.last()["outcome"] == "done, stopped in the drain"
    said = capsys.readouterr().err
    assert "release new had taken over; the old one gets no new requests" in said
    assert "./moor deploy recorder ends it" in said

    # The next deploy of the same ends what was left.
    target.back, target.calls = OLD, []
    target._fails = ""
    assert lifecycle.deploy(target, NEW, chosen) is None
    assert target.calls == ["renew", "retire old"]


def test_what_clients_would_notice_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    target = Recorder()
    target.costs = ["gateway (image a -> b)"]
    with pytest.raises(MoorError, match=r"gateway \(image a -> b\).*nothing is changed") as refused:
        lifecycle.deploy(target, NEW, plan(tmp_path))
    assert refused.value.hint.startswith("./moor deploy recorder --yes")
    assert target.calls == []


def test_what_clients_would_notice_is_done_where_the_operator_agrees(tmp_path: Path) -> None:
    target, asked = Recorder(), []
    target.costs = ["gateway (image a -> b)"]
    agreed = replace(plan(tmp_path), agree=lambda costs: not asked.append(costs))
    assert lifecycle.deploy(target, NEW, agreed) is not None
    assert asked == [target.costs]
    assert target.calls.index("renew") < target.calls.index("start new")


def test_of_a_release_that_runs_the_parts_beside_it_are_asked_about_too(tmp_path: Path) -> None:
    target = Recorder(NEW)
    target.costs = ["postgres (image a -> b)"]
    with pytest.raises(MoorError, match="makes anew postgres"):
        lifecycle.deploy(target, NEW, plan(tmp_path))


def test_a_cause_that_is_known_is_not_hidden_by_the_last_line_of_a_log(tmp_path: Path) -> None:
    target = Recorder(fails="migrate")
    target.error = CommandError("the volume is of PostgreSQL 16", hint="dump it", log="unhealthy")
    with pytest.raises(MoorError) as refused:
        lifecycle.deploy(target, NEW, plan(tmp_path))
    assert refused.value.fact == "the migration failed: the volume is of PostgreSQL 16"


@pytest.mark.parametrize(
    ("change", "doing"),
    [
        (lambda target, how: lifecycle.deploy(target, NEW, how), "deploy new"),
        (lambda target, how: lifecycle.rollback(target, NEW, how), "rollback to new"),
        (lambda target, how: lifecycle.reload(target, OLD, how), "reload"),
        (lambda target, how: lifecycle.maintain(target, how, True), "maintenance"),
        (lifecycle.down, "down"),
    ],
)
def test_nothing_is_changed_while_another_machine_changes_it(
    change: Callable[..., object], doing: str, tmp_path: Path
) -> None:
    target = Recorder()
    target.other = LockedError("another machine deploys")
    with pytest.raises(LockedError, match="another machine"):
        change(target, plan(tmp_path))
    assert target.doing == [doing]
    assert target.calls == []
