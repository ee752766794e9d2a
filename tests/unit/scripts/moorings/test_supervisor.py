"""The supervisor for real: masters on one socket, one after another, killed and stopped."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from moorings import probe
from moorings.errors import MoorError
from moorings.runner import LocalRunner
from moorings.supervised import Master, Supervised

#: A server with what the supervisor hands over: it answers each connection with its name.
SERVER = """
import os, signal, socket, sys
assert os.environ["LISTEN_FDS"] == "1" and os.environ["LISTEN_PID"] == str(os.getpid())
signal.signal(signal.SIGHUP, lambda *_: print("reloaded", flush=True))
listener = socket.socket(fileno=3)
print("serves", flush=True)
while True:
    connection, _ = listener.accept()
    connection.sendall(os.environ["NAME"].encode())
    connection.close()
"""


class Place:
    """A supervisor in a folder, and what it listens on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.supervised = Supervised(folder, LocalRunner(), None)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.supervised.ensure(f"127.0.0.1:{self.port}", folder / "log", sys.executable)

    def start(self, name: str) -> None:
        self.launch(name, sys.executable)
        self.until(lambda: (self.folder / name).exists() and "serves" in self.said(name))

    def launch(self, name: str, program: str) -> None:
        about = {"version": name, "commit": "", "settings": "", "bind": "127.0.0.1:1"}
        self.supervised.ask(
            "start", name=name, argv=[program, "-c", SERVER], env={"NAME": name},
            cwd=str(self.folder), log=str(self.folder / name), about=about,
        )  # fmt: skip

    def good(self, name: str) -> None:
        self.supervised.ask("good", name=name, about=self.master(name).about)

    def said(self, name: str) -> str:
        return (self.folder / name).read_text()

    def master(self, name: str) -> Master:
        return next(one for one in self.supervised.masters() if one.name == name)

    def names(self) -> list[str]:
        return [one.name for one in self.supervised.masters()]

    def ask(self) -> str:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            return connection.recv(100).decode()

    def until(self, seen) -> None:
        probe.until(lambda: True if seen() else None, what="it to be seen", timeout=15, every=0.02)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    process = made.supervised.process()
    yield made
    assert process is not None
    if process.is_running():
        made.supervised.ask("quit")
        psutil.wait_procs([process], timeout=10)


def test_the_next_master_answers_on_the_same_socket(place: Place) -> None:
    place.start("old")
    place.good("old")
    assert place.ask() == "old"
    place.start("new")
    place.good("new")
    place.supervised.ask("stop", name="old")
    place.until(lambda: place.names() == ["new"])
    assert {place.ask() for _ in range(5)} == {"new"}


def test_a_connection_waits_while_there_is_no_master(place: Place) -> None:
    with socket.create_connection(("127.0.0.1", place.port), timeout=10) as early:
        place.start("first")
        assert early.recv(100) == b"first"


def test_the_last_good_one_is_started_again(place: Place) -> None:
    place.start("good")
    place.good("good")
    place.start("unproved")
    for name in ("unproved", "good"):
        os.kill(place.master(name).pid, signal.SIGKILL)
    place.until(lambda: place.names() == ["good"] and place.master("good").process() is not None)
    assert place.master("good").deaths == 1
    assert place.ask() == "good"


def test_a_crash_loop_gets_slower(place: Place) -> None:
    place.start("good")
    place.good("good")
    began = time.monotonic()
    for deaths in (1, 2):
        os.kill(place.master("good").pid, signal.SIGKILL)
        place.until(
            lambda deaths=deaths: (
                place.master("good").deaths == deaths and place.master("good").process() is not None
            )
        )
    # Half a second, then a whole one.
    assert time.monotonic() - began >= 1.5


def test_a_stopped_one_is_not_started_again(place: Place) -> None:
    place.start("good")
    place.good("good")
    place.supervised.ask("stop", name="good")
    place.until(lambda: place.names() == [])
    assert place.supervised.good() is None


def test_a_program_that_is_not_there_says_so_in_its_log(place: Place) -> None:
    place.launch("none", "/nowhere/server")
    place.until(lambda: place.names() == [])
    assert "/nowhere/server" in place.said("none")


def test_a_reload_is_forwarded(place: Place) -> None:
    place.start("good")
    place.supervised.ask("reload", name="good")
    place.until(lambda: "reloaded" in place.said("good"))


def test_the_end_of_a_terminal_does_not_end_it(place: Place) -> None:
    place.start("good")
    process = place.supervised.process()
    assert process is not None
    for number in (signal.SIGHUP, signal.SIGINT):
        process.send_signal(number)
    assert place.ask() == "good"
    assert process.is_running()


def test_sigterm_stops_all_and_leaves_nothing(place: Place) -> None:
    place.start("good")
    place.good("good")
    process, master = place.supervised.process(), place.master("good").process()
    assert process is not None
    assert master is not None
    process.terminate()
    gone, _ = psutil.wait_procs([process, master], timeout=10)
    assert len(gone) == 2
    assert place.supervised.masters() == []


def test_masters_of_a_killed_supervisor_are_still_known(place: Place) -> None:
    place.start("good")
    place.good("good")
    process = place.supervised.process()
    assert process is not None
    process.kill()
    psutil.wait_procs([process], timeout=10)
    assert place.supervised.process() is None
    master = place.supervised.good()
    assert master is not None
    assert place.ask() == "good"
    os.kill(master.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"do": "dance"}, "KeyError"),
        ({"do": "stop", "name": "nobody"}, "nobody"),
        ({"do": "start", "name": "half"}, "missing"),
    ],
)
def test_a_wrong_request_is_refused_and_harms_nothing(place: Place, request_, says: str) -> None:
    place.start("good")
    with pytest.raises(MoorError, match=says):
        place.supervised.ask(**request_)
    assert place.ask() == "good"
