"""What `down --all` takes from the machine, and what it leaves alone."""

import os
import pty
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from moorings import deployment, machine, targets
from moorings.deployment import Deployment
from moorings.errors import CommandError, MoorError
from moorings.lock import Lock
from moorings.machine import Item
from moorings.runner import LocalRunner, Result
from moorings.target import Release, Target

ROOT = Path(__file__).resolve().parents[4]
USER = Item("user", "shop", ["userdel", "shop"])


@pytest.fixture
def made(tmp_path: Path, runner) -> Deployment:
    flags = {"deployment.state": str(tmp_path), "deployment.name": "mine"}
    made = deployment.open(ROOT, {}, flags, targets.DEFAULT, runner, looks_only=True)
    machine.remember(tmp_path, USER)
    return made


def test_it_is_undone_and_said(
    made: Deployment, runner, capsys: pytest.CaptureFixture[str]
) -> None:
    made.layout.environments.mkdir()
    made.clean()
    assert runner.argvs == [["userdel", "shop"]]
    assert list(made.layout.state.iterdir()) == []
    said = capsys.readouterr().out
    assert f"removed {made.layout.environments}\n" in said
    assert "removed user shop\n" in said


def test_what_could_not_be_undone_stays_on_the_list(made: Deployment, runner) -> None:
    runner.answers["userdel"] = Result(8, "user shop is used by process 1")
    with pytest.raises(CommandError, match="user shop is still there") as caught:
        made.clean()
    assert caught.value.hint == "userdel shop"
    assert machine.items(made.layout.state) == [USER]


def test_data_keeps_its_owner(made: Deployment, runner, capsys: pytest.CaptureFixture[str]) -> None:
    made.layout.data.mkdir(parents=True)
    made.clean()
    assert made.layout.data.is_dir()
    assert runner.ran == []
    assert machine.items(made.layout.state) == [USER]
    assert "user shop is kept: it owns the data of mine" in capsys.readouterr().err


def test_it_is_refused_while_another_deployment_is_in_use(made: Deployment) -> None:
    made.require_alone()
    with (
        Lock(made.layout.state / "theirs" / "lock").held("deploy"),
        pytest.raises(MoorError, match="what other deployments use: theirs"),
    ):
        made.require_alone()


class Lost:
    """A target whose processes serve, and whose state is gone."""

    name = "lost"

    def live(self) -> Release | None:
        return None

    def built(self) -> set[str]:
        return set()

    def strays(self) -> list[str]:
        return ["12", "13"]


@pytest.mark.parametrize("verb", ["rollback", "reload"])
def test_what_serves_without_its_state_is_not_called_nothing(made: Deployment, verb: str) -> None:
    lost = replace(made, target=cast(Target, Lost()))
    with pytest.raises(MoorError, match="its state is gone: processes 12, 13"):
        getattr(lost, verb)()


class Leaning(Lost):
    """A target whose app does not run, and whose database does."""

    def beside(self) -> list[str]:
        return ["postgres"]


def test_the_note_stays_where_parts_of_a_failed_deploy_do(made: Deployment) -> None:
    made.layout.home.mkdir()
    real = replace(made, context=replace(made.context, runner=LocalRunner()))
    leaning = replace(real, target=cast(Target, Leaning()))
    with pytest.raises(MoorError), leaning.plan().claim():
        raise MoorError("no room")
    assert deployment.noted(made.layout) == "lost"


class Serving(Lost):
    """A target that serves."""

    name = "serving"

    def live(self) -> Release:
        return Release("v1", "")


def test_a_name_is_of_one_target(made: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    made.layout.home.mkdir()
    (made.layout.home / "target").write_text("serving")
    monkeypatch.setattr(targets, "make", lambda name, context: Serving())
    real = replace(made, context=replace(made.context, runner=LocalRunner()))
    with pytest.raises(MoorError, match="serving serves under the name mine") as caught:
        real.deploy()
    assert "./moor down serving" in caught.value.hint


def test_a_refused_deploy_leaves_no_note(made: Deployment) -> None:
    made.layout.home.mkdir()
    real = replace(made, context=replace(made.context, runner=LocalRunner()))
    with pytest.raises(MoorError), real.plan().claim():
        raise MoorError("no nginx")
    assert deployment.noted(made.layout) == ""
    with real.plan().claim():
        pass
    assert deployment.noted(made.layout) == made.target.name


class Silent(Lost):
    """A target that does not say what serves."""

    name = "silent"

    def live(self) -> None:
        raise CommandError("the cluster does not answer")


def test_a_note_stays_where_something_may_serve(made: Deployment) -> None:
    made.layout.home.mkdir()
    context = replace(made.context, runner=LocalRunner())
    real = replace(made, context=context, target=cast(Target, Silent()))
    with pytest.raises(MoorError, match="not ready"), real.plan().claim():
        raise MoorError("not ready")
    assert deployment.noted(made.layout) == "silent"


@pytest.mark.parametrize(("note", "meant"), [("uwsgi", "uwsgi"), ("", targets.DEFAULT)])
def test_no_name_means_the_target_that_is_deployed(
    made: Deployment, runner, note: str, meant: str
) -> None:
    made.layout.home.mkdir()
    (made.layout.home / "target").write_text(note)
    flags = {"deployment.state": str(made.layout.state), "deployment.name": "mine"}
    assert deployment.open(ROOT, {}, flags, "", runner, looks_only=True).target.name == meant


@pytest.mark.parametrize(("typed", "goes_on"), [("y", True), ("n", False), ("", False)])
def test_on_a_terminal_the_operator_is_asked(
    made: Deployment, monkeypatch: pytest.MonkeyPatch, typed: str, goes_on: bool
) -> None:
    terminal, stdin = pty.openpty()
    os.write(terminal, f"{typed}\n".encode())
    with open(stdin) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert made._agrees(["the gateway"]) is goes_on
    os.close(terminal)


def test_where_nobody_can_be_asked_nothing_goes_on_unless_it_was_said(made: Deployment) -> None:
    assert not made._agrees(["the gateway"])
    assert replace(made, yes=True)._agrees(["the gateway"])
