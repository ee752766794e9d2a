"""Signals that come while something is started."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from moorings import interrupts

pytestmark = pytest.mark.usefixtures("foreground")


def pressed(then: Callable[[], None]) -> None:
    with interrupts.held():
        os.kill(os.getpid(), signal.SIGINT)
        then()


def test_ctrl_c_waits_until_what_was_started_is_written_down() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        pressed(lambda: done.append("written down"))
    assert done == ["written down"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_started_meanwhile_hears_them() -> None:
    with interrupts.held():
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    child.terminate()
    assert child.wait(10) == -signal.SIGTERM


def test_what_fails_meanwhile_is_not_forgotten() -> None:
    def fails() -> None:
        raise ValueError("not started")

    with pytest.raises(KeyboardInterrupt) as told:
        pressed(fails)
    assert isinstance(told.value.__context__, ValueError)


def test_another_thread_hears_no_signals_anyway() -> None:
    seen = []

    def start() -> None:
        with interrupts.held():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(10)
    assert seen == [signal.default_int_handler]
