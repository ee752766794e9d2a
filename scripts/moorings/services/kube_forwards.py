"""Addresses on this host for what is inside a cluster: `kubectl port-forward`, one for each."""

import json
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from moorings import guarded, interrupts, ports, probe
from moorings.errors import NotReadyError
from moorings.logfile import tail
from moorings.services.kubectl import Kubectl

#: Seconds within which one listens.
BOOT = 20.0

#: Seconds within which it ends.
END = 5.0

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Forward:
    """One that was started: what it leads to, and its process."""

    to: str
    """As kubectl names it: `pod/app-...`."""
    inside: int
    port: int
    pid: int
    created: float
    """Start of the process: a number alone may be another's by now."""

    @property
    def runs(self) -> bool:
        """Whether its process does."""
        try:
            found = psutil.Process(self.pid)
            same = found.create_time() == self.created
            return same and found.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}"

    def end(self) -> None:
        """End its process."""
        if self.runs:
            process = psutil.Process(self.pid)
            process.terminate()
            # A child of this very command would stay as a zombie until that ends.
            with suppress(psutil.TimeoutExpired):
                process.wait(END)


@dataclass(frozen=True)
class Forwards:
    """Starts one when it is asked for, finds it again from the next command, ends it."""

    kubectl: Kubectl
    folder: Path

    def url(self, name: str, to: str, inside: int) -> str:
        """Return where this host reaches a port of something in the cluster.

        :param name: of the forward: it leads to one thing at a time.
        :raises NotReadyError: with what kubectl said.
        """
        found = self._read(name)
        if found is not None:
            if found.runs and (found.to, found.inside) == (to, inside) and _listens(found.port):
                return found.url
            found.end()
        return self._start(name, to, inside).url

    def _start(self, name: str, to: str, inside: int) -> Forward:
        self.folder.mkdir(parents=True, exist_ok=True)
        port, log = ports.free(HOST), self.folder / f"{name}.log"
        words = ("port-forward", "--address", HOST, to, f"{port}:{inside}")
        argv = self.kubectl.argv(*words)
        env = dict(self.kubectl.env)
        # Not in a folder of the deployment's: it is no process of the app.
        with interrupts.held():
            pid = self.kubectl.runner.start(argv, cwd=Path("/"), env=env, log=log)
            made = Forward(to, inside, port, pid, _created(pid))
            guarded.leave(self._file(name), json.dumps(asdict(made)), None)
        self._wait(made, log)
        return made

    def _wait(self, made: Forward, log: Path) -> None:
        def listens() -> bool | None:
            if not made.runs:
                return False
            return True if _listens(made.port) else None

        what = f"a way to {made.to}"
        if not probe.until(listens, what=what, timeout=BOOT, last=lambda: tail(log, 1)):
            raise NotReadyError(f"no way to {made.to}: {tail(log, 1)}")

    def end(self, name: str) -> None:
        """End one; fine where there is none."""
        if self.kubectl.runner.dry:
            return
        found = self._read(name)
        if found is not None:
            found.end()
        for file in (self._file(name), self.folder / f"{name}.log"):
            file.unlink(missing_ok=True)

    def end_all(self, prefix: str = "", but: frozenset[str] = frozenset()) -> None:
        """End those whose name begins so, but for some."""
        for file in self.folder.glob(f"{prefix}*.json"):
            if file.stem not in but:
                self.end(file.stem)

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _read(self, name: str) -> Forward | None:
        try:
            return Forward(**json.loads(self._file(name).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None


def _created(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def _listens(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex((HOST, port)) == 0
