"""Ask until it answers, or until a deadline: the one way in which moor waits."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import httpx

from moorings import addresses
from moorings.errors import NotReadyError

T = TypeVar("T")


class Clock(Protocol):
    """Monotonic seconds and a sleep; a fake one makes the tests instant."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def sleep(self, seconds: float, /) -> None:
        """Pause between two tries."""


def until(
    ask: Callable[[], T | None],
    *,
    what: str,
    timeout: float,
    every: float = 0.1,
    last: Callable[[], str] = str,
    clock: Clock = time,
) -> T:
    """Ask first and sleep after, until the answer is not None.

    :param what: completes "... did not happen in N s", as in "jaeger to answer".
    :param timeout: seconds.
    :param last: what was seen last, for the error.
    :raises NotReadyError: when the time is up.
    """
    deadline = clock.monotonic() + timeout
    while True:
        answer = ask()
        if answer is not None:
            return answer
        if clock.monotonic() >= deadline:
            seen = last()
            raise NotReadyError(
                f"waited {timeout:.0f} s for {what}" + (f" (last: {seen})" if seen else "")
            )
        clock.sleep(every)


@dataclass
class Http:
    """Asks a URL for a status; remembers what it saw last, for the error's text."""

    url: str
    status: int = 200
    timeout: float = 2.0
    seen: str = "no answer"

    def __call__(self) -> httpx.Response | None:
        """Return the answer if it has the status, else None."""
        try:
            answer = addresses.get(self.url, self.timeout)
        except httpx.HTTPError as problem:
            self.seen = f"{type(problem).__name__}: {problem}"
            return None
        self.seen = f"{answer.status_code} {answer.text[:200]}".strip()
        return answer if answer.status_code == self.status else None

    def last(self) -> str:
        """Return what was seen last."""
        return self.seen


def http(url: str, *, what: str, timeout: float, status: int = 200) -> httpx.Response:
    """Wait until a URL answers with a status.

    :raises NotReadyError: naming the last answer.
    """
    ask = Http(url, status)
    return until(ask, what=f"{what} to answer {url} with {status}", timeout=timeout, last=ask.last)


def serves(url: str, release: str, timeout: float) -> None:
    """Wait until the gateway at a URL sends clients to a release.

    :param timeout: seconds.
    :raises NotReadyError: naming the last answer.
    """
    ask = Http(f"{url}/version")

    def answers() -> bool | None:
        answer = ask()
        return True if answer is not None and answer.json().get("release") == release else None

    until(answers, what=f"the gateway to send clients to {release}", timeout=timeout, last=ask.last)
