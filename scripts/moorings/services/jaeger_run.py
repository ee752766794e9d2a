"""The two ways in which moor runs a Jaeger: as a process of this host, or in a container."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import psutil

from moorings import masters, ui, users
from moorings.layout import Layout
from moorings.logfile import tail
from moorings.runner import Runner, User
from moorings.services import docker
from moorings.services.jaeger_state import HOST, State

#: Seconds that a Jaeger may take to write what it holds, at a stop.
GRACE = 15.0

#: Where a container sees the folders.
_INSIDE = "/etc/jaeger"
_DATA = "/badger"


@dataclass(frozen=True)
class Folders:
    """What a Jaeger reads and writes, below the folder of its deployment."""

    layout: Layout
    user: User | None

    @property
    def configuration(self) -> Path:
        """Copies of the configuration: the clone may be closed to the service's user."""
        return self.layout.home / "jaeger"

    @property
    def data(self) -> Path:
        """Where badger storage keeps its traces."""
        return self.layout.data / "jaeger"

    @property
    def log(self) -> Path:
        """What its process says."""
        return self.layout.logs / "jaeger.log"

    def make(self) -> None:
        """Make them, readable to the service's user whatever the operator's umask is."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)
        users.hand_over(self.data, self.user)
        self.configuration.mkdir(parents=True, exist_ok=True)
        self.configuration.chmod(0o755)
        for file in (self.layout.root / "deploy" / "parts" / "jaeger").glob("*.yaml"):
            copy = self.configuration / file.name
            shutil.copyfile(file, copy)
            copy.chmod(0o644)

    def remove(self, volumes: bool) -> None:
        """Remove all but the data, and those too with `volumes`."""
        shutil.rmtree(self.configuration, ignore_errors=True)
        self.log.unlink(missing_ok=True)
        if volumes:
            shutil.rmtree(self.data, ignore_errors=True)


class Way(Protocol):
    """Starts, finds and ends a Jaeger."""

    def start(self, state: State, program: str, max_traces: int) -> State:
        """Start a planned one; return it with what finds it again."""

    def runs(self, state: State) -> bool:
        """Tell whether it still runs."""

    def who(self, state: State) -> str:
        """Name what runs, and whose rights it has."""

    def logs(self, state: State, lines: int) -> str:
        """Return its newest log lines."""

    def end(self) -> None:
        """End what this deployment has of it; fine where there is nothing."""


@dataclass(frozen=True)
class AsProcess:
    """A program of this host."""

    runner: Runner
    folders: Folders

    def start(self, state: State, program: str, max_traces: int) -> State:
        """Start the program as the service's user."""
        data = str(self.folders.data)
        pid = self.runner.start(
            [program, *_config(str(self.folders.configuration), state)],
            cwd=self.folders.data,
            env=_environ(state, max_traces, HOST, data),
            log=self.folders.log,
            user=self.folders.user,
        )
        return replace(state, pid=pid, started=masters.began(pid))

    def runs(self, state: State) -> bool:
        """Look for its process."""
        return state.process() is not None

    def who(self, state: State) -> str:
        """Name process and user."""
        process = state.process()
        return f"process {state.pid}, user {process.username()}" if process else ""

    def logs(self, state: State, lines: int) -> str:
        """Read its log file."""
        return tail(self.folders.log, lines)

    def end(self) -> None:
        """Let it write what it holds; kill it where that takes too long.

        A lost or broken state file makes none a stranger: the configuration that it was started
        with is this deployment's own.
        """
        found = [process for process in psutil.process_iter() if self._is_ours(process)]
        for process in found:
            process.terminate()
        _, left = psutil.wait_procs(found, timeout=GRACE)
        for process in left:
            ui.warn(f"Jaeger did not end within {GRACE:.0f} s and was killed")
            process.kill()
        psutil.wait_procs(left, timeout=5)

    def _is_ours(self, process: psutil.Process) -> bool:
        ours = ("--config", str(self.folders.configuration / "jaeger.yaml"))
        try:
            words = process.cmdline()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False
        return ours in pairwise(words)


@dataclass(frozen=True)
class AsContainer:
    """A container of the Docker engine."""

    runner: Runner
    folders: Folders

    @property
    def name(self) -> str:
        """Its name, which no other deployment has."""
        return f"moorings-{self.folders.layout.name}-jaeger"

    def start(self, state: State, program: str, max_traces: int) -> State:
        """Start an image; a container of this name that an earlier run left goes first."""
        self.end()
        folders = self.folders
        argv = docker.run_argv(
            self.name,
            program,
            user=_ids(folders.user),
            command=_config(_INSIDE, state),
            env=_environ(state, max_traces, "0.0.0.0", _DATA),
            ports=state.ports,
            mounts={str(folders.configuration): _INSIDE},
            volumes={str(folders.data): _DATA},
        )
        self.runner.run(argv, timeout=60)
        return replace(state, container=self.name)

    def runs(self, state: State) -> bool:
        """Ask the engine."""
        return docker.is_running(self.runner, state.container)

    def who(self, state: State) -> str:
        """Name the container."""
        return f"container {state.container}"

    def logs(self, state: State, lines: int) -> str:
        """Ask the engine."""
        return docker.logs(self.runner, state.container, lines)

    def end(self) -> None:
        """Stop and remove it."""
        docker.remove(self.runner, self.name, GRACE)


def _config(folder: str, state: State) -> list[str]:
    files = ["jaeger.yaml", *(["badger.yaml"] if state.storage == "badger" else [])]
    return [word for file in files for word in ("--config", f"{folder}/{file}")]


def _environ(state: State, max_traces: int, listen: str, data: str) -> Mapping[str, str]:
    return {
        "JAEGER_LISTEN": listen,
        "JAEGER_STORAGE": state.storage,
        "JAEGER_MAX_TRACES": str(max_traces),
        "JAEGER_BADGER_DIR": data,
        **{f"JAEGER_{name.upper()}_PORT": str(port) for name, port in state.ports.items()},
    }


def _ids(user: User | None) -> str:
    """Return who it is inside: whoever may write to the data outside."""
    return f"{user.uid}:{user.gid}" if user else f"{os.getuid()}:{os.getgid()}"
