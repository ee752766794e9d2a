"""moor's side of the supervisor: start one, tell it what to do, read what it says."""

import json
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from moorings import probe, supervisor, users
from moorings.errors import MoorError, NotReadyError
from moorings.runner import Runner, User
from moorings.target import Release

#: Connections that may wait for a master, as Gunicorn's own default.
BACKLOG = 2048

#: Seconds within which a started supervisor answers.
BOOT = 10.0


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

    @property
    def release(self) -> Release:
        """The release that it serves."""
        return Release(self.about["version"], self.about["commit"], self.about["settings"])

    @property
    def folder(self) -> Path:
        """Its folder of metrics and readiness."""
        return Path(self.about["folder"])

    def process(self) -> psutil.Process | None:
        """Return it if it still runs."""
        if not self.pid or supervisor.began(self.pid) != self.began:
            return None
        try:
            process = psutil.Process(self.pid)
            return process if process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class Supervised:
    """The supervisor of one deployment, if it runs."""

    def __init__(self, folder: Path, runner: Runner, user: User | None) -> None:
        """Keep its files in `folder`."""
        self.folder = folder
        self.runner = runner
        self.user = user

    def process(self) -> psutil.Process | None:
        """Return the supervisor itself, if it runs."""
        state = self._state()
        if not state or supervisor.began(state["pid"]) != state["began"]:
            return None
        return psutil.Process(state["pid"])

    @property
    def address(self) -> str:
        """What its socket is bound to; empty where it does not run."""
        return str(self._state().get("address", "")) if self.process() is not None else ""

    def masters(self) -> list[Master]:
        """Return the masters that it wrote down, the last good one first.

        They outlive it: where it was killed they serve on, and are found by its last words.
        """
        found = [_master(one) for one in self._state().get("masters", [])]
        return sorted(found, key=lambda one: not one.good)

    def _state(self) -> dict[str, Any]:
        """Return what it wrote down last; nothing, where that is not whole or not its own."""
        try:
            state = json.loads((self.folder / "state.json").read_text())
            masters = [_master(one) for one in state["masters"]]
            numbers = [state["pid"], state["began"], *(one.pid for one in masters)]
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
            return {}
        return dict(state) if all(type(number) is int for number in numbers) else {}

    def good(self) -> Master | None:
        """Return the master that clients are meant to reach, if it runs."""
        return next((one for one in self.masters() if one.good and one.process()), None)

    def ensure(self, bind: str, log: Path, python: str) -> None:
        """Start it with the listening socket of an address, unless it runs.

        :param python: an interpreter that its user may run.
        """
        if self.process() is not None:
            return
        users.hand_over(self.folder, self.user)
        program = shutil.copy(supervisor.__file__, self.folder / "supervisor.py")
        with listener(bind) as shared:
            self.runner.start(
                [python, "-I", str(program), str(self.folder), str(shared.fileno()), bind],
                cwd=self.folder,
                env={"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"},
                log=log,
                user=self.user,
                fds=(shared.fileno(),),
            )
            probe.until(
                lambda: True if self.process() else None, what="the supervisor", timeout=BOOT
            )

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
                    answer = json.loads(stream.readline() or b"{}")
            except (OSError, ValueError) as problem:
                raise NotReadyError(
                    f"the supervisor does not answer: {problem}", hint="./moor status"
                ) from None
        if "error" in answer:
            raise MoorError(f"the supervisor refused to {do}: {answer['error']}")
        return dict(answer)

    def _connect(self, connection: socket.socket) -> None:
        """Reach it by its folder's descriptor: an address holds 108 bytes, a path may be longer."""
        folder = os.open(self.folder, os.O_PATH)
        try:
            connection.connect(f"/proc/self/fd/{folder}/control")
        finally:
            os.close(folder)


def _master(raw: dict[str, Any]) -> Master:
    return Master(**{name: raw[name] for name in Master.__dataclass_fields__})


def listener(bind: str) -> socket.socket:
    """Return a listening socket for `host:port`, or for a path after `unix:`."""
    if bind.startswith("unix:"):
        path = Path(bind.removeprefix("unix:"))
        path.unlink(missing_ok=True)
        made = socket.socket(socket.AF_UNIX)
        made.bind(str(path))
    else:
        host, _, port = bind.rpartition(":")
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host.strip("[]"), int(port)))
    made.listen(BACKLOG)
    return made
