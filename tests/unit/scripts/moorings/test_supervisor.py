"""The supervisor for real: masters on one socket, one after another, killed and stopped."""

import os
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from moorings import probe
from moorings.errors import MoorError
from moorings.runner import LocalRunner
from moorings.supervised import Master, Supervised

#: A server with what the supervisor hands over: it answers each connection with its name,
#: and the one that it has begun with when it is told to end.
SERVER = """
import os, select, signal, socket, sys
assert os.environ["LISTEN_FDS"] == "1" and os.environ["LISTEN_PID"] == str(os.getpid())
signal.signal(signal.SIGHUP, lambda *_: print("reloaded", flush=True))
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
listener = socket.socket(fileno=3)
listener.setblocking(False)
print("serves", flush=True)
while not told:
    select.select([listener], [], [], 0.05)
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        continue
    connection.sendall(os.environ["NAME"].encode())
    connection.close()
"""

#: A master with a worker, each of which says by which signal it ends.
FAMILY = """
import os, signal
worker = os.fork()
who = "master" if worker else "worker"
for name in ("SIGTERM", "SIGQUIT"):
    said = f"{who} ends by {name}\\n".encode()
    signal.signal(signal.Signals[name], lambda *_, said=said: (os.write(1, said), os._exit(0)))
if worker == 0:
    print("serves", flush=True)
while True:
    signal.pause()
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

    def start(self, name: str, **wanted: object) -> None:
        self.launch(name, sys.executable, **wanted)
        self.until(lambda: (self.folder / name).exists() and "serves" in self.said(name))

    def launch(self, name: str, program: str, code: str = SERVER, **wanted: object) -> None:
        about = {"version": name, "commit": "", "settings": "", "bind": f"127.0.0.1:{self.port}"}
        self.supervised.ask(
            "start", name=name, argv=[program, "-c", code], env={"NAME": name},
            cwd=str(self.folder), log=str(self.folder / name), about=about, **wanted,
        )  # fmt: skip

    def revive(self) -> bool:
        return self.supervised.revive(self.folder / "log", sys.executable)

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
    # A killed one may run on for a moment: that it died must be seen, too.
    place.until(lambda: place.names() == ["good"] and place.master("good").deaths == 1)
    place.until(lambda: place.master("good").process() is not None)
    assert place.ask() == "good"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_the_workers_of_a_killed_master_end_by_their_own_signal(place: Place, number: int) -> None:
    place.start("family", code=FAMILY, orphans_end_by=number)
    os.kill(place.master("family").pid, signal.SIGKILL)
    place.until(lambda: "worker ends by" in place.said("family"))
    assert place.said("family").splitlines()[1:] == [
        f"worker ends by {signal.Signals(number).name}"
    ]


def test_a_record_that_cannot_be_written_stops_nothing(place: Place) -> None:
    place.start("good")
    place.good("good")
    killed = place.master("good").pid
    in_the_way = place.supervised.folder / "kept.new"
    in_the_way.mkdir()
    os.kill(killed, signal.SIGKILL)
    place.until(lambda: place.said("good").count("serves") == 2)
    assert place.ask() == "good"
    in_the_way.rmdir()


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


@pytest.fixture
def orphaned(place: Place) -> Iterator[Place]:
    """One whose supervisor was killed under a good master."""
    place.start("good")
    place.good("good")
    process, master = place.supervised.process(), place.master("good").process()
    assert process is not None
    assert master is not None
    process.kill()
    psutil.wait_procs([process], timeout=10)
    yield place
    again = place.supervised.process()
    if again is not None:
        place.supervised.ask("quit")
        psutil.wait_procs([again], timeout=10)
    if master.is_running():
        master.kill()


def test_masters_of_a_killed_supervisor_are_still_known(orphaned: Place) -> None:
    assert orphaned.supervised.process() is None
    assert orphaned.supervised.good() is not None
    assert orphaned.ask() == "good"


def test_another_takes_the_socket_over_while_clients_connect(orphaned: Place) -> None:
    over = threading.Event()
    with ThreadPoolExecutor(2) as pool:

        def hammer() -> set[str]:
            answers = set()
            while not over.is_set():
                answers.add(orphaned.ask())
            return answers

        clients = [pool.submit(hammer) for _ in range(2)]
        try:
            assert orphaned.revive()
            orphaned.start("new")
            orphaned.good("new")
            orphaned.supervised.ask("stop", name="good")
            orphaned.until(lambda: orphaned.names() == ["new"])
        finally:
            over.set()
    assert set.union(*(client.result() for client in clients)) == {"good", "new"}


def test_one_that_was_taken_over_is_started_again_as_it_was(orphaned: Place) -> None:
    assert orphaned.revive()
    dead = orphaned.master("good").pid
    os.kill(dead, signal.SIGKILL)
    orphaned.until(
        lambda: (
            orphaned.master("good").pid != dead and orphaned.master("good").process() is not None
        )
    )
    assert orphaned.ask() == "good"
    assert "unknown status" in (orphaned.folder / "log").read_text()


def test_a_second_one_that_is_killed_is_followed_by_a_third(orphaned: Place) -> None:
    assert orphaned.revive()
    second = orphaned.supervised.process()
    assert second is not None
    second.kill()
    psutil.wait_procs([second], timeout=10)
    assert orphaned.revive()
    assert orphaned.supervised.process() != second
    assert (orphaned.names(), orphaned.ask()) == (["good"], "good")


def test_where_no_master_is_left_nothing_is_taken_over(orphaned: Place) -> None:
    os.kill(orphaned.master("good").pid, signal.SIGKILL)
    orphaned.until(lambda: orphaned.master("good").process() is None)
    assert not orphaned.revive()


def test_what_a_master_needs_again_is_closed_to_others(place: Place) -> None:
    place.start("good")
    kept = place.folder / "supervisor" / "kept.json"
    assert '"NAME": "good"' in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


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
