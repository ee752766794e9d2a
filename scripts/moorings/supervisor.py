"""Owns a listening socket, starts and retires masters on it, restarts the last good one.

It knows no server and no policy: moor tells it what to start, what is good, what to stop. Only the
standard library, in one file: it is copied beside the releases and run by the service's user, who
may not be able to read the clone.

    python supervisor.py FOLDER FD ADDRESS

FD is the listening socket, ADDRESS what it is bound to, to be written down.
In FOLDER it listens on `control` for one JSON request a connection, and writes `state.json`
whenever something changes; and `kept.json`, which it alone reads: where it was killed, the next one
looks after what it left. A master gets the socket as systemd would hand it
over: `LISTEN_FDS` of sd_listen_fds(3).
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

#: Seconds before a dead master is started again: doubled each time, until one has lived LONG.
FIRST_PAUSE, LONGEST_PAUSE, LONG = 0.5, 30.0, 60.0

#: Where sd_listen_fds(3) looks for the socket.
LISTEN_FD = 3

#: prctl(2): orphans of a killed master become children of this process.
PR_SET_CHILD_SUBREAPER = 36


@dataclass
class Master:
    """A master, as it was started and as it is."""

    name: str
    argv: list[str]
    env: dict[str, str]
    cwd: str
    log: str
    about: dict[str, str]
    """What moor wants to find again: the release, the folder of its run."""
    ends_by: int = signal.SIGTERM
    """The signal that asks it to answer what it has, and end."""
    orphans_end_by: int = signal.SIGTERM
    """The same for its workers, where it was killed: they do not know all of their master's."""
    pid: int = 0
    began: int = 0
    good: bool = False
    """The one that is started again when it dies; at most one is."""
    stopping: bool = False
    deaths: int = 0
    since: float = 0.0
    again: float = 0.0
    """When to start it again, monotonic; 0: not to be."""
    pidfd: int = -1
    """Of one that an earlier supervisor started: only a child's end is told by the kernel."""

    def shown(self) -> dict[str, Any]:
        """Return what others may see: the environment may hold secrets."""
        hidden = {"env", "since", "again", "pidfd"}
        return {name: value for name, value in asdict(self).items() if name not in hidden}


@dataclass
class Supervisor:
    """The socket and the masters on it."""

    folder: Path
    listener: int
    address: str
    masters: dict[str, Master] = field(default_factory=dict)
    told_to_end: bool = False
    """By SIGTERM; the loop does it, as a handler may come in the middle of anything."""
    ending: bool = False

    def run(self) -> None:
        """Serve requests and look after the masters until told to quit and all are gone."""
        wakeup = _signals()
        control = _control(self.folder / "control")
        self._take_over()
        self.write()
        while not (self.ending and not self.masters):
            adopted = [master.pidfd for master in self.masters.values() if master.pidfd >= 0]
            waited = [control.fileno(), wakeup, *adopted]
            ready, _, _ = select.select(waited, [], [], self._pause())
            if wakeup in ready:
                os.read(wakeup, 4096)
            self._reap()
            self._part({*adopted} & {*ready})
            self._start_again()
            if self.told_to_end and not self.ending:
                self.quit()
            if control.fileno() in ready:
                self._answer(control)
        control.close()
        (self.folder / "control").unlink(missing_ok=True)
        for name in ("state.json", "kept.json"):
            (self.folder / name).unlink(missing_ok=True)

    def _pause(self) -> float:
        waiting = [master.again for master in self.masters.values() if master.again]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else 60.0

    # Requests

    def _answer(self, control: socket.socket) -> None:
        connection, _ = control.accept()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            try:
                request = json.loads(_line(connection))
                answer = self._verbs()[request.pop("do")](**request)
            except (ValueError, TypeError, KeyError, OSError) as problem:
                answer = {"error": f"{type(problem).__name__}: {problem}"}
            # Whoever asked may read the state as soon as it has the answer.
            self.write()
            connection.sendall(json.dumps(answer).encode() + b"\n")

    def _verbs(self) -> dict[str, Callable[..., dict[str, Any]]]:
        return {
            "start": self.start,
            "good": self.good,
            "stop": self.stop,
            "reload": self.reload,
            "waiting": self.waiting,
            "quit": self.quit,
        }

    def start(self, **wanted: Any) -> dict[str, Any]:
        """Start a master on the socket; it is not started again until it is called good."""
        master = Master(**wanted)
        if master.name in self.masters:
            raise ValueError(f"there is a master {master.name} already")
        self.masters[master.name] = master
        self._spawn(master)
        return master.shown()

    def good(self, name: str, about: dict[str, str]) -> dict[str, Any]:
        """Take this one for the last good one: it alone is started again."""
        chosen = self.masters[name]
        chosen.about = about
        for master in self.masters.values():
            master.good = master is chosen
        return chosen.shown()

    def stop(self, name: str, how: int = 0) -> dict[str, Any]:
        """Ask one to end, by its own signal where no other is named; it is not started again."""
        master = self.masters[name]
        master.stopping, master.good, master.again = True, False, 0.0
        self._signal(master, how or master.ends_by)
        if not master.pid:
            del self.masters[name]
        return master.shown()

    def reload(self, name: str) -> dict[str, Any]:
        """Forward SIGHUP to a master."""
        self._signal(self.masters[name], signal.SIGHUP)
        return self.masters[name].shown()

    def waiting(self) -> dict[str, Any]:
        """Tell whether a connection waits that no master has accepted yet."""
        ready, _, _ = select.select([self.listener], [], [], 0)
        return {"waiting": bool(ready)}

    def quit(self) -> dict[str, Any]:
        """Stop all, and end when they are gone."""
        self.ending = True
        for name in list(self.masters):
            self.stop(name)
        return {"ending": True}

    # Processes

    def _take_over(self) -> None:
        """Look after the masters of an earlier supervisor, which was killed."""
        for raw in _kept(self.folder / "kept.json"):
            master = Master(**{**raw, "since": time.monotonic(), "again": 0.0, "pidfd": -1})
            self.masters[master.name] = master
            say(f"taking over {master.name} (process {master.pid})")
            with contextlib.suppress(OSError):
                master.pidfd = os.pidfd_open(master.pid)
            # A pid that came back is another process.
            if master.pidfd >= 0 and began(master.pid) != master.began:
                master.pid = 0
                self._part({master.pidfd})
            elif master.pidfd < 0:
                self._ended(master, "unknown status")

    def _part(self, ended: set[int]) -> None:
        """Take note of the end of those that are no children."""
        for master in list(self.masters.values()):
            if master.pidfd in ended:
                os.close(master.pidfd)
                master.pidfd = -1
                self._ended(master, "unknown status")

    def _spawn(self, master: Master) -> None:
        master.pid = os.fork()
        if master.pid == 0:
            self._become(master)
        master.began, master.since, master.again = began(master.pid), time.monotonic(), 0.0

    def _become(self, master: Master) -> None:
        """In the child: hand over the socket and be the server, or end."""
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            os.setsid()
            log = os.open(master.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.dup2(self.listener, LISTEN_FD)
            os.set_inheritable(LISTEN_FD, True)
            os.chdir(master.cwd)
            listen = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
            os.execve(master.argv[0], master.argv, {**master.env, **listen})
        except OSError as problem:
            os.write(2, f"supervisor: {master.argv[0]}: {problem}\n".encode())
        finally:
            os._exit(127)

    def _signal(self, master: Master, number: int) -> None:
        if master.pid and began(master.pid) == master.began:
            os.kill(master.pid, number)

    def _reap(self) -> None:
        """Take note of every child that ended, also of the orphans of a killed master."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for master in list(self.masters.values()):
                if master.pid == pid:
                    self._ended(master, _how(status))

    def _ended(self, master: Master, how: str) -> None:
        # Its workers still accept on the socket: let them finish what they do.
        if master.pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(master.pid, master.orphans_end_by)
        say(f"master {master.name} (process {master.pid}) ended with {how}")
        master.pid = 0
        if master.good and not self.ending:
            lived = time.monotonic() - master.since
            master.deaths = 0 if lived > LONG else master.deaths + 1
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** max(0, master.deaths - 1))
            master.again = time.monotonic() + pause
        else:
            del self.masters[master.name]
        self.write()

    def _start_again(self) -> None:
        for master in self.masters.values():
            if master.again and master.again <= time.monotonic():
                say(f"starting {master.name} again")
                self._spawn(master)
                self.write()

    def write(self) -> None:
        """Write down what is, for others and for a supervisor after this one.

        Where the disk is full or the folder gone, the masters matter more than their record.
        """
        try:
            self._write_down()
        except OSError as problem:
            say(f"what runs cannot be written down: {problem}")

    def _write_down(self) -> None:
        state = {"pid": os.getpid(), "began": began(os.getpid()), "address": self.address,
                 "masters": [master.shown() for master in self.masters.values()]}  # fmt: skip
        _replace(self.folder / "kept.json", [asdict(one) for one in self.masters.values()], 0o600)
        _replace(self.folder / "state.json", state, 0o644)


def _replace(file: Path, content: object, mode: int) -> None:
    """Write a file whole or not at all."""
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as stream:
        stream.write(json.dumps(content, indent=2) + "\n")
    fresh.replace(file)


def _kept(file: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads(file.read_text()))
    except (FileNotFoundError, ValueError):
        return []


def began(pid: int) -> int:
    """Return when a process began, in clock ticks since boot; 0 where there is none.

    With the pid this is never another process: field 22 of proc_pid_stat(5).
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[19])


def say(text: str) -> None:
    """Write a line into the log of the supervisor, if there is room for one."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = {"time": now, "level": "warning", "logger": "supervisor", "message": text}
    with contextlib.suppress(OSError):
        print(json.dumps(line), flush=True)


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"


def _signals() -> int:
    """Let a child's end wake the loop, and let no signal of a terminal end it."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return reader


def _control(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    control = socket.socket(socket.AF_UNIX)
    # A path over 108 bytes does not fit an address: its name in the folder does.
    os.chdir(path.parent)
    before = os.umask(0o177)
    control.bind(path.name)
    os.umask(before)
    control.listen(16)
    return control


def _line(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as stream:
        return stream.readline(4_000_000)


def main() -> None:
    """Run until told to quit; SIGTERM is the same as being told."""
    folder, listener, address = sys.argv[1:]
    supervisor = Supervisor(Path(folder).absolute(), int(listener), address)

    def told(*_: object) -> None:
        supervisor.told_to_end = True

    signal.signal(signal.SIGTERM, told)
    supervisor.run()


if __name__ == "__main__":
    main()
