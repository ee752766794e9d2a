"""The pool goes on, whatever its threads did before they were lost."""

import threading
from collections.abc import Iterator

import pytest

from runtime.servers import pool as pools
from runtime.servers.pool import Pool

SECONDS = 5.0


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_busy_past_does_not_keep_a_new_thread_from_starting(release: threading.Event) -> None:
    pool = Pool(2)
    gate = threading.Barrier(3)
    first = [pool.submit(gate.wait, SECONDS) for _ in range(2)]
    queued = [pool.submit(int) for _ in range(8)]
    gate.wait(SECONDS)
    assert [future.result(SECONDS) for future in [*first, *queued]][2:] == [0] * 8
    hung = [pool.submit(release.wait, 60) for _ in range(2)]
    waiting = pool.submit(int)
    pool.replace(2)
    assert waiting.result(SECONDS) == 0
    assert not any(future.done() for future in hung)
    release.set()
    pool.shutdown()


def test_who_wants_to_know_hears_how_many_wait(
    release: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[float] = []
    monkeypatch.setattr(pools, "_hearer", heard.append)
    pool = Pool(2)
    both = threading.Barrier(3)

    def hold() -> None:
        both.wait(SECONDS)
        release.wait(SECONDS)

    held = [pool.submit(hold) for _ in range(2)]
    both.wait(SECONDS)
    queued = [pool.submit(int) for _ in range(5)]
    assert heard[-1] == 5
    release.set()
    assert [future.result(SECONDS) for future in [*held, *queued]][2:] == [0] * 5
    assert heard[-1] == 0
    pool.shutdown()
