"""The one way in which moor runs a command: argv, echoed, with a deadline.

A target decides which argv; a runner does it. Unit tests give a target a recording runner
and compare the whole list.
"""

import os
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moorings import guarded, ui
from moorings.errors import CommandError, NeedError
from moorings.logfile import tail


@dataclass(frozen=True)
class User:
    """A user of the machine, by whose rights a command runs."""

    name: str
    uid: int
    gid: int

    @property
    def owner(self) -> tuple[int, int]:
        """Both numbers, as a file's owner."""
        return self.uid, self.gid


@dataclass(frozen=True)
class Result:
    """How a command ended: its status, and what it wrote to both streams, in order."""

    status: int
    output: str = ""
    errors: str = ""
    """What it wrote to the second stream, where that was asked for apart."""


@dataclass(frozen=True)
class Command:
    """A command as the runner was asked to run it; what a recording runner keeps."""

    argv: tuple[str, ...]
    cwd: Path | None = None
    env: Mapping[str, str] | None = None
    """None: the operator's own."""
    user: User | None = None
    """None: the operator."""
    timeout: float = 0.0
    """Seconds."""
    quiet: bool = False
    check: bool = True
    log: Path | None = None
    fds: tuple[int, ...] = ()
    apart: bool = False
    """Whether its output is that of the first stream alone."""


class Runner(ABC):
    """Runs commands, or only says what it would run."""

    dry = False

    @abstractmethod
    def remove(self, folder: Path) -> None:
        """Remove a folder with all that is in it, or a file; fine where there is none."""

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        user: User | None = None,
        quiet: bool = False,
        check: bool = True,
        log: Path | None = None,
        apart: bool = False,
    ) -> Result:
        """Run a command to its end. `timeout` is in seconds; `env` None is the operator's own.

        With `log` its output goes to that file as it comes, and the result has its last lines.
        With `apart` its output has no errors among it: for what is read by a program.

        :raises CommandError: where `check` is set and the status is not 0, a signal included.
        :raises NeedError: where there is no such program.
        """
        return self.finish(
            Command(tuple(argv), cwd, env, user, timeout, quiet, check, log, apart=apart)
        )

    def start(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        log: Path,
        user: User | None = None,
        fds: tuple[int, ...] = (),
    ) -> int:
        """Start a command that outlives moor, in a session of its own; return its pid.

        :param fds: open files that it inherits under the same numbers.
        """
        return self.launch(Command(tuple(argv), cwd, env, user, log=log, fds=fds))

    @abstractmethod
    def finish(self, command: Command) -> Result:
        """Do what `run` says."""

    @abstractmethod
    def launch(self, command: Command) -> int:
        """Do what `start` says."""


class LocalRunner(Runner):
    """Runs commands on this machine."""

    def remove(self, folder: Path) -> None:
        """Remove it; what another process takes away at the same time is gone anyway."""
        if folder.is_file() or folder.is_symlink():
            folder.unlink(missing_ok=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)

    def finish(self, command: Command) -> Result:
        """Run a command in a process group of its own, so that Ctrl-C leaves nothing of it."""
        if not command.quiet:
            ui.command(command.argv)
        with _sink(command.log) as sink:
            process = _popen(command, sink)
        try:
            output, errors = process.communicate(timeout=command.timeout)
        except subprocess.TimeoutExpired:
            _kill_group(process)
            late = f"{command.argv[0]} did not end within {command.timeout:.0f} s"
            raise CommandError(late) from None
        except BaseException:
            _kill_group(process)
            raise
        if command.log is not None:
            output = tail(command.log, 30)
        if command.check and process.returncode != 0:
            log = _tail(f"{output}{errors or ''}")
            raise CommandError(_ended(command.argv, process.returncode), log=log)
        return Result(process.returncode, output, errors or "")

    def launch(self, command: Command) -> int:
        """Start it with both streams appended to its log."""
        if command.log is None:
            raise ValueError("what outlives moor needs a log")
        ui.command(command.argv)
        with guarded.appending(command.log) as stream:
            process = _popen(command, stream.fileno())
        # It outlives moor on purpose; Python warns of one that is dropped without a status.
        process.returncode = 0
        return process.pid


class DryRunner(Runner):
    """Says what would be run, and runs nothing."""

    dry = True

    def remove(self, folder: Path) -> None:
        """Print the command that would do it, where there is something to remove."""
        if folder.exists():
            ui.command(["rm", "-r", str(folder)])

    def finish(self, command: Command) -> Result:
        """Print the command and report success."""
        if not command.quiet:
            ui.command(command.argv)
        return Result(0)

    def launch(self, command: Command) -> int:
        """Print the command; 0 is the pid of nothing."""
        ui.command(command.argv)
        return 0


@contextmanager
def _sink(log: Path | None) -> Iterator[int]:
    """Give the child its own copy of the file; ours is closed as soon as it has started."""
    if log is None:
        yield subprocess.PIPE
        return
    with log.open("wb") as stream:
        yield stream.fileno()


def _popen(command: Command, stdout: int) -> "subprocess.Popen[str]":
    user = command.user
    try:
        return subprocess.Popen(
            list(command.argv),
            cwd=command.cwd,
            env=command.env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE if command.apart else subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            umask=0o022,
            pass_fds=command.fds,
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else [],
        )
    except FileNotFoundError:
        raise NeedError(
            f"{command.argv[0]} is not installed, or {command.cwd} is not there"
        ) from None
    except PermissionError as denied:
        raise NeedError(f"{command.argv[0]} may not be run: {denied}") from None


def _kill_group(process: "subprocess.Popen[str]") -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.communicate()


def _ended(argv: Sequence[str], status: int) -> str:
    how = f"status {status}" if status > 0 else f"signal {signal.Signals(-status).name}"
    return f"`{' '.join(argv)[:200]}` ended with {how}"


def _tail(output: str, lines: int = 30) -> str:
    return "\n".join(output.rstrip().splitlines()[-lines:])
