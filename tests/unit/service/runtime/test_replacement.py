"""A process that lost threads takes no more requests before it looks whether any runs."""

import os
from collections.abc import Callable

import pytest

from runtime import deadline
from runtime.problems import Problem


class Request:
    def look(self) -> None:
        pass

    def cut(self, seconds: int) -> Problem | None:
        return None


class Client:
    def answer(self, problem: Problem) -> None:
        pass

    def reset(self) -> None:
        pass


class Ended(Exception):
    """In place of the end of this process."""


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    def end(status: int) -> None:
        raise Ended

    monkeypatch.setattr(os, "_exit", end)
    return []


def _replacement(watch: deadline.Watch, said: list[str]) -> Callable[[], None]:
    return deadline.Replacement(watch, lambda: said.append("retire"), lambda: said.append("leave"))


def test_it_is_told_at_one_look_and_asked_at_a_later_one(said: list[str]) -> None:
    watch, late = deadline.Watch(60), Request()
    replace = _replacement(watch, said)
    replace()
    # What it took while it was told.
    watch.enter(late, Client())
    replace()
    assert said == ["retire"]
    watch.leave(late)
    with pytest.raises(Ended):
        replace()
    assert said == ["retire", "leave"]
