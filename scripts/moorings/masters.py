"""The server processes that moor started on this host, by an identity that a pid alone is not."""

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from moorings import ui
from moorings.errors import MoorError
from moorings.target import Release

#: Seconds that what outlived its time has for a last word.
LAST = 1.0

#: Seconds within which a killed process is gone.
KILLED = 5.0


@dataclass(frozen=True)
class Master:
    """A master process: what it serves, and where."""

    pid: int
    started: float
    """When the kernel says that it began; with the pid this is never another process."""
    bind: str
    folder: str
    """Its folder of metrics and readiness."""
    version: str
    commit: str
    settings: str

    @classmethod
    def of(cls, pid: int, bind: str, folder: Path, release: Release) -> "Master":
        """Return the master of a process that was just started or reloaded."""
        version, commit, settings = release.version, release.commit, release.settings
        return cls(pid, began(pid), bind, str(folder), version, commit, settings)

    @property
    def release(self) -> Release:
        """The release that it serves."""
        return Release(self.version, self.commit, self.settings)

    def process(self) -> psutil.Process | None:
        """Return it if it still runs."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < 0.05
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class Masters:
    """The masters of one deployment by their role, in a file that outlives moor."""

    def __init__(self, file: Path) -> None:
        """Keep them in `file`."""
        self.file = file

    def get(self, role: str) -> Master | None:
        """Return the master of a role, if it runs."""
        master = self._read().get(role)
        return master if master is not None and master.process() is not None else None

    def put(self, role: str, master: Master | None) -> None:
        """Write down the master of a role; None forgets it."""
        known = {**self._read(), role: master}
        kept = {name: asdict(one) for name, one in known.items() if one is not None}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(kept, indent=2) + "\n")
        fresh.replace(self.file)

    def _read(self) -> dict[str, Master | None]:
        try:
            return {role: _master(raw) for role, raw in json.loads(self.file.read_text()).items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, KeyError, AttributeError):
            ui.warn(f"{self.file} is not readable and is started anew; nothing in it is trusted")
            self.file.unlink()
            return {}


def _master(raw: dict[str, Any]) -> Master:
    """Take nothing on trust: a signal is sent to the pid that it names."""
    for name in Master.__dataclass_fields__:
        kind = {"pid": int, "started": float}.get(name, str)
        if type(raw[name]) is not kind:
            raise TypeError(f"{name} is no {kind.__name__}")
    if raw["pid"] <= 0:
        raise ValueError("no process has this pid")
    return Master(**raw)


def began(pid: int) -> float:
    """Return when a process began; 0, which no process has, where it is gone already."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def stop(master: Master, grace: float) -> None:
    """Let a master drain; after `grace` seconds, end what is left of it and its workers."""
    process = master.process()
    if process is not None:
        process.send_signal(signal.SIGTERM)
        wait_or_kill(process, grace)


def wait_or_kill(process: psutil.Process, grace: float) -> None:
    """Wait for a process that was told to end, and its family; end what outlives `grace`.

    :raises MoorError: where one outlives even that.
    """
    left = _outlived(_family(process), grace)
    # Children that heard nothing yet, as a front server's do, can still send their last spans.
    for one in left:
        with suppress(psutil.NoSuchProcess):
            one.terminate()
    left = _outlived(left, LAST)
    for one in left:
        # It may have ended just now.
        with suppress(psutil.NoSuchProcess):
            one.kill()
            ui.warn(f"process {one.pid} did not end within {grace:.0f} s and was killed")
    for one in _outlived(left, KILLED):
        hint = f"it waits in the kernel, for a disk perhaps: ps -o stat,wchan,args -p {one.pid}"
        raise MoorError(f"process {one.pid} does not end, not even by SIGKILL", hint=hint)


def _outlived(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait for their end; returns those that still run. An init may reap orphans late or never."""
    until = time.monotonic() + seconds
    while (left := [one for one in processes if runs(one)]) and time.monotonic() < until:
        time.sleep(0.02)
    # What moor itself started is a zombie until it asks.
    for one in processes:
        with suppress(psutil.TimeoutExpired):
            one.wait(0)
    return left


def runs(process: psutil.Process) -> bool:
    """Tell whether a process goes on: what nobody has asked for yet is over too."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True), *orphans(process)]
    except psutil.NoSuchProcess:
        return []


def orphans(leader: psutil.Process) -> list[psutil.Process]:
    """Return what is of the session that a process leads, and not of its children any more."""
    known = {leader, *leader.children(recursive=True)}
    return [one for one in psutil.process_iter() if one not in known and _led(one, leader)]


def _led(one: psutil.Process, leader: psutil.Process) -> bool:
    try:
        return os.getsid(one.pid) == leader.pid
    except ProcessLookupError:
        return False
