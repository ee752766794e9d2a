"""Process 1 of a cluster's node: makes what the node sees, then runs its programs, and again.

`cluster` starts it in namespaces of its own. When it ends, the kernel ends all that it started,
and takes its mounts, its links and its addresses with it.
"""

import os
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from moorings import probe, ui
from moorings.errors import CommandError, MoorError
from moorings.logfile import tail
from moorings.runner import LocalRunner, Runner
from moorings.services.cluster_cgroups import Cgroups
from moorings.services.cluster_plan import HOME, KERNEL, NODE, Program, programs

#: Seconds until whoever started it must have given it a link; else that one is dead.
ORPHANED = 30.0

#: Seconds that one program may take until it is ready; the API takes about 5.
BOOT = 180.0

#: Seconds between the end of a program and its next start.
AGAIN = 1.0

#: Folders that the programs expect below /var, which is the node's own.
FOLDERS = ("lib/cni", "lib/kubelet", "lib/volumes", "log/containers", "log/pods", "tmp")

ENV = {
    "PATH": f"{HOME}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/var/tmp",
    "TMPDIR": "/var/tmp",
}


@dataclass(frozen=True)
class Node:
    """What it is told: folders of the host, its own address and that of the host."""

    home: str
    bin: str
    config: str
    cgroup: str
    address: str
    gateway: str

    def argv(self) -> list[str]:
        """Return the command that starts it; what is in `unshare` ends with its process 1."""
        return ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork",
                "--kill-child=KILL", sys.executable, "-m", __name__, *astuple(self)]  # fmt: skip


def main(words: Sequence[str]) -> None:
    """Be the node until it is killed."""
    node, runner = Node(*words), LocalRunner()
    socket.sethostname(NODE)
    connect(node, runner)
    Cgroups(node.cgroup).enter()
    see(node, runner)
    plan = programs(node.address, f"/{node.cgroup}")
    keep(boot(plan, runner), runner)


def connect(node: Node, runner: Runner) -> None:
    """Configure the link to the host, once it is there.

    :raises NotReadyError: where nobody gives it one.
    """
    probe.until(_has_link, what="a link to the host", timeout=ORPHANED)
    for words in (
        ("link", "set", "lo", "up"),
        ("address", "add", f"{node.address}/30", "dev", "eth0"),
        ("link", "set", "eth0", "up"),
        ("route", "add", "default", "via", node.gateway),
    ):
        runner.run(["ip", *words], timeout=10)


def _has_link() -> bool | None:
    return "eth0" in [name for _, name in socket.if_nameindex()] or None


def see(node: Node, runner: Runner) -> None:
    """Mount what the programs are to see; the host sees none of it."""
    for words in (
        ("--make-rshared", "/"),
        ("-t", "proc", "proc", "/proc"),
        ("-t", "tmpfs", "tmpfs", "/run"),
    ):
        runner.run(["mount", *words], timeout=10)
    home = Path(node.home)
    for source, name in (
        (node.bin, "bin"), (node.config, "config"), (home / "pki", "pki"), (home / "logs", "logs"),
    ):  # fmt: skip
        _bind(Path(source), Path(HOME, name), runner)
    _kernel(runner)
    _var(home / "var", runner)


def _bind(source: Path, place: Path, runner: Runner) -> None:
    place.mkdir(parents=True, exist_ok=True)
    runner.run(["mount", "--bind", str(source), str(place)], timeout=10)


def _kernel(runner: Runner) -> None:
    """Show the kubelet a kernel as it wants it, so that it leaves the machine's own alone."""
    for name, value in KERNEL.items():
        real, shown = Path("/proc/sys", name), Path(HOME, "kernel", name)
        if real.exists():
            shown.parent.mkdir(parents=True, exist_ok=True)
            shown.write_text(f"{value}\n")
            runner.run(["mount", "--bind", str(shown), str(real)], timeout=10)


def _var(var: Path, runner: Runner) -> None:
    """Give the node a /var of its own: much of what the programs keep has a fixed place there."""
    for name in FOLDERS:
        (var / name).mkdir(parents=True, exist_ok=True)
    (var / "run").symlink_to("/run")
    runner.run(["mount", "--bind", str(var), "/var"], timeout=10)
    for folder in ("/run/netns", "/run/lock"):
        Path(folder).mkdir()


def boot(plan: Sequence[Program], runner: Runner) -> dict[int, Program]:
    """Start the programs, each when the one before is ready.

    :raises CommandError: where one ends before.
    """
    running: dict[int, Program] = {}
    for program in plan:
        pid = _start(program, runner)
        running[pid] = program
        if program.ready:
            ready = _Ready(program, pid, runner)
            probe.until(ready, what=f"{program.name} to be ready", timeout=BOOT, last=ready.last)
    return running


@dataclass
class _Ready:
    """Asks whether a program can be used, as long as it runs."""

    program: Program
    pid: int
    runner: Runner
    seen: str = ""

    def __call__(self) -> bool | None:
        """Tell it by the program's own command."""
        if os.waitpid(self.pid, os.WNOHANG) != (0, 0):
            raise CommandError(f"{self.program.name} ended", log=tail(_log(self.program), 5))
        said = self.runner.run(self.program.ready, timeout=30, env=ENV, quiet=True, check=False)
        self.seen = said.output[-200:].strip()
        return True if said.status == 0 else None

    def last(self) -> str:
        """Return what the command said last."""
        return self.seen


def keep(running: dict[int, Program], runner: Runner) -> None:
    """Start anew what ends, as systemd would, and take the status of whatever else ends here."""
    while True:
        pid, status = os.wait()
        program = running.pop(pid, None)
        if program is not None:
            ui.warn(f"{program.name} ended with {os.waitstatus_to_exitcode(status)}")
            time.sleep(AGAIN)
            running[_start(program, runner)] = program


def _start(program: Program, runner: Runner) -> int:
    return runner.start(program.argv, cwd=Path("/"), env=ENV, log=_log(program))


def _log(program: Program) -> Path:
    return Path(HOME, "logs", f"{program.name}.log")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except MoorError as problem:
        ui.error(problem)
        sys.exit(problem.exit_code)
