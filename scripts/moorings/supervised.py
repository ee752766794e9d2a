"""moor's side of the supervisor: start one, tell it what to do, read what it says."""

import json
import os
import re
import shutil
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from moorings import guarded, interrupts, probe, supervisor, users
from moorings.errors import MoorError, NotReadyError
from moorings.handover import Handover, Kept
from moorings.runner import Runner, User
from moorings.target import Release

#: Seconds within which a started supervisor answers.
BOOT = 10.0

#: Bytes of the largest state that is read.
LARGEST = 4_000_000

#: The signals that may ask a master to end.
ENDINGS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGWINCH)

#: A master, a release: also a folder's name, so never a way to another folder.
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

#: What a socket can be bound to.
ADDRESS = re.compile(r"\S+:[0-9]{1,5}|unix:/.+")


@dataclass(frozen=True)
class Master:
    """A master on the shared socket, as the supervisor last wrote it down."""

    name: str
    pid: int
    began: int
    good: bool
    stopping: bool
    deaths: int
    about: dict[str, str]
    folder: Path
    """Its folder of metrics and readiness."""
    user: User | None
    ends_by: int = signal.SIGTERM

    @property
    def release(self) -> Release:
        """The release that it serves."""
        return Release(self.about["version"], self.about["commit"], self.about["settings"])

    def process(self) -> psutil.Process | None:
        """Return it if it still runs."""
        return running(self.pid, self.began, self.user)


class Supervised:
    """The supervisor of one deployment, if it runs.

    It runs by the rights of the service, so what it wrote down may be what an app that was taken
    over wants root to believe: only processes, folders and names that are its own are taken.
    """

    def __init__(
        self, home: Path, runner: Runner, user: User | None, handover: Handover | None = None
    ) -> None:
        """Look below the deployment's own folder, in which only moor may write.

        :param handover: how masters share an address; by default they inherit its socket.
        """
        self.folder = home / "supervisor"
        self.program = home / "supervisor.py"
        self.runs = home / "run"
        self.runner = runner
        self.user = user
        self.handover = handover or Kept(user)

    def process(self) -> psutil.Process | None:
        """Return the supervisor itself, if it runs."""
        state = self._state()
        return running(state["pid"], state["began"], self.user) if state else None

    @property
    def address(self) -> str:
        """What its socket is bound to; empty where it does not run."""
        return str(self._state().get("address", "")) if self.process() is not None else ""

    def masters(self) -> list[Master]:
        """Return the masters that it wrote down, the last good one first.

        They outlive it: where it was killed they serve on, and are found by its last words.
        """
        found = [self._master(one) for one in self._state().get("masters", [])]
        return sorted(found, key=lambda one: not one.good)

    def _state(self) -> dict[str, Any]:
        """Return what it wrote down last; nothing, where that is not whole or not its own."""
        try:
            with guarded.reading(self.folder / "state.json") as stream:
                state = json.loads(stream.read(LARGEST))
            masters = [self._master(one) for one in state["masters"]]
            numbers = [state["pid"], state["began"], *(one.pid for one in masters)]
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
            return {}
        return dict(state) if all(type(number) is int for number in numbers) else {}

    def _master(self, raw: dict[str, Any]) -> Master:
        """Take nothing on trust: a signal goes to its pid, and folders go by its names."""
        name, about = raw["name"], raw["about"]
        if not all(isinstance(text, str) for text in about.values()):
            raise TypeError("what is said about a master is text")
        if not (PLAIN.fullmatch(name) and PLAIN.fullmatch(about["version"])):
            raise ValueError("a name that could mean another folder")
        if not ADDRESS.fullmatch(about["bind"]):
            raise ValueError("nothing can listen there")
        ends_by = raw.get("ends_by", signal.SIGTERM)
        if ends_by not in ENDINGS:
            raise ValueError("no signal that a server ends by")
        known = {field: raw[field] for field in ("pid", "began", "good", "stopping", "deaths")}
        return Master(
            name, about=about, folder=self.runs / name, user=self.user, ends_by=ends_by, **known
        )

    def good(self) -> Master | None:
        """Return the master that clients are meant to reach, if it runs."""
        return next((one for one in self.masters() if one.good and one.process()), None)

    def ensure(self, bind: str, log: Path, python: str) -> None:
        """Start it with the listening socket of an address, unless it runs.

        :param python: an interpreter that its user may run.
        """
        if self.process() is None:
            with self.handover.opened(bind) as shared:
                self._start(shared, bind, log, python)

    def revive(self, log: Path, python: str) -> bool:
        """Start another for one that was killed, on the socket of the masters that it left.

        :returns: whether one runs; where no master gives its socket away, none does.
        """
        if self.process() is not None:
            return True
        for one in self.masters():
            bind = one.about["bind"]
            shared = self.handover.left(one.pid, bind) if one.process() else None
            if shared is not None:
                with shared:
                    self._start(shared, bind, log, python)
                return True
        return False

    def _start(self, shared: socket.socket, bind: str, log: Path, python: str) -> None:
        users.hand_over(self.folder, self.user)
        program = shutil.copyfile(supervisor.__file__, self.program)
        argv = [python, "-I", str(program), str(self.folder), str(shared.fileno()), bind]
        env = {"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
        fds = (shared.fileno(),)
        # It writes itself down, as its first act.
        with interrupts.held():
            self.runner.start(argv, cwd=self.folder, env=env, log=log, user=self.user, fds=fds)
            probe.until(self.process, what="the supervisor", timeout=BOOT)

    def ask(self, do: str, **request: Any) -> dict[str, Any]:
        """Send one request.

        :raises MoorError: where it refuses, or does not answer.
        """
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            try:
                self._connect(connection)
                connection.sendall(json.dumps({"do": do, **request}).encode() + b"\n")
                with connection.makefile("rb") as stream:
                    answer = dict(json.loads(stream.readline() or b"{}"))
            except (OSError, ValueError, TypeError) as problem:
                raise NotReadyError(
                    f"the supervisor does not answer: {problem}", hint="./moor status"
                ) from None
        if "error" in answer:
            raise MoorError(f"the supervisor refused to {do}: {answer['error']}")
        return answer

    def waiting(self) -> bool:
        """Tell whether a connection waits that no master has accepted yet."""
        return self.process() is not None and bool(self.ask("waiting")["waiting"])

    def clear(self) -> None:
        """Remove what it left."""
        self.runner.remove(self.folder)
        self.program.unlink(missing_ok=True)

    def _connect(self, connection: socket.socket) -> None:
        """Reach it by its folder's descriptor: an address holds 108 bytes, a path may be longer."""
        folder = os.open(self.folder, os.O_PATH)
        try:
            connection.connect(f"/proc/self/fd/{folder}/control")
        finally:
            os.close(folder)


def running(pid: int, began: int, user: User | None) -> psutil.Process | None:
    """Return a process that was written down, if it runs and is one of who wrote it down.

    :param user: None is the operator, who may signal no others anyway.
    """
    if pid <= 0 or not began or supervisor.began(pid) != began:
        return None
    try:
        process = psutil.Process(pid)
        ours = user is None or {*process.uids()[:2]} == {user.uid}
        return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None
