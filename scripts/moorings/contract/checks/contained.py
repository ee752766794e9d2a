"""secure.* of containers: what they may write, do, show and let others reach."""

import errno
import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from math import inf
from pathlib import Path

from moorings import addresses, report
from moorings.contract import wire
from moorings.contract.column import Column
from moorings.contract.outcome import claim
from moorings.contract.registry import check
from moorings.target import Contained, Instance, Stores

#: Types of what the engine mounts writable in every container.
KERNEL = {"proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2"}

#: Where cgroup v1 has its hierarchies: a folder of root's that nobody may write in (mode 0555).
CGROUPS = "/sys/fs/cgroup"

#: Files that a kubelet gives each container: the first is root's, the other takes a last message.
KUBELETS = ("/etc/hosts", "/dev/termination-log")

#: The sets of capabilities in /proc/PID/status; of a process without any, all are 0.
#: https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")

#: Bytes that a place in memory may have at most.
SMALL = 256 * 1024 * 1024

#: What a file of a process answers that is gone, has just gone, or is waited for by nobody.
ENDED = (errno.ENOENT, errno.ESRCH, errno.EINVAL)

#: Where alone operators ask.
LOOPBACK = "127.0.0.1"

#: Seccomp: 2 is a filter, as the engine's default profile.
FILTERED = "2"


@dataclass(frozen=True)
class Mount:
    """A line of /proc/PID/mountinfo.

    https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
    """

    root: str
    """What of its file system is mounted."""
    point: str
    writable: bool
    type: str
    bounded: bool
    """Whether it is in memory, and small."""

    @property
    def fine(self) -> bool:
        """Whether it is read-only, the kernel's, small, or a kubelet's."""
        return not self.writable or self.kernels or self.bounded or self.kubelets

    @property
    def kubelets(self) -> bool:
        """Whether it is a volume of the pod, or one of a kubelet's files for it."""
        _, pod, rest = self.root.partition("/pods/")
        return bool(pod) and ("/volumes/" in rest or self.point in KUBELETS)

    @property
    def kernels(self) -> bool:
        """Whether it is the kernel's own, and no place to keep anything."""
        return self.type in KERNEL or self.point == CGROUPS


def mounts(lines: str) -> list[Mount]:
    """Return what a process has mounted, by its mountinfo."""
    return [_mount(line) for line in lines.splitlines()]


def _mount(line: str) -> Mount:
    own, _, rest = line.partition(" - ")
    words, (kind, _, options) = own.split(), rest.split()[:3]
    bounded = kind == "tmpfs" and _size(options) <= SMALL
    return Mount(words[3], words[4], "rw" in words[5].split(","), kind, bounded)


def _size(options: str) -> float:
    """Return the bytes that a tmpfs may have, by its options: in KiB, as the kernel shows it."""
    named = dict(option.partition("=")[::2] for option in options.split(","))
    size = named.get("size", "")
    return int(size.removesuffix("k")) * 1024 if size else inf


def _contained(column: Column) -> Contained:
    assert isinstance(column.target, Contained)
    return column.target


def _running(column: Column) -> list[Instance]:
    running = column.target.instances()
    claim(bool(running), "nothing runs")
    return running


def told(running: Sequence[Instance], name: str) -> list[tuple[Instance, str]]:
    """Return what the kernel tells of each process in a file, but of those that have just ended."""
    found = [(one, text) for one in running if (text := _file(one, name)) is not None]
    claim(bool(found), "all that ran has ended")
    return found


def _file(one: Instance, name: str) -> str | None:
    try:
        return Path(f"/proc/{one.id}/{name}").read_text(errors="replace")
    except OSError as problem:
        if problem.errno not in ENDED:
            raise
        return None


@check(
    "secure.readonly",
    proves="every container has a read-only root; what it may write is small, or a volume",
    needs=["containers"],
    control="loose containers",
    quick=True,
)
def readonly(column: Column) -> str:
    """Look at what each process has mounted."""
    running, writable = told(_running(column), "mountinfo"), set()
    kept = column.target.kept() if isinstance(column.target, Stores) else set()
    for one, lines in running:
        found = mounts(lines)
        wide = [mount.point for mount in found if not mount.fine and mount.point not in kept]
        claim(not wide, f"{one.role} {one.id} may write in {', '.join(wide)}")
        writable |= {mount.point for mount in found if mount.writable and not mount.kernels}
    return f"{len(running)} of {len(running)} processes; writable: {', '.join(sorted(writable))}"


@check(
    "secure.caps",
    proves="no process of a container has a capability or may get one; system calls are filtered",
    needs=["containers"],
    control="loose containers",
    quick=True,
)
def caps(column: Column) -> str:
    """Ask the kernel of each process."""
    running = told(_running(column), "status")
    for one, lines in running:
        may = _status(lines)
        held = [f"{name} {may[name]}" for name in CAPABILITIES if int(may[name], 16)]
        claim(not held, f"{one.role} {one.id} has capabilities: {', '.join(held)}")
        claim(may["NoNewPrivs"] == "1", f"{one.role} {one.id} may get new privileges")
        claim(may["Seccomp"] == FILTERED, f"{one.role} {one.id} may use every system call")
    return f"0 of {len(running)} processes have any"


def _status(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs}


@check(
    "secure.published",
    proves="of all containers only the gateway is reached from outside: by clients at the host of "
    "the settings, by operators on loopback",
    needs=["engine"],
    control="loose containers",
    quick=True,
)
def published(column: Column) -> str:
    """Hold what is published against where the deployment says that it answers."""
    ends = column.target.endpoints()
    hosts = {ends.app: column.settings.server.host, ends.operators: LOOPBACK}
    found = _contained(column).published()
    claim(bool(found), "nothing is published, so that nothing could be found")
    strays = [
        f"{part} at {place}"
        for part, place in found if hosts.get(addresses.url(place)) != _host(place)
    ]  # fmt: skip
    claim(not strays, f"published beside what the settings name: {', '.join(strays)}")
    return ", ".join(f"{part} at {place}" for part, place in found)


def _host(place: str) -> str:
    return place.rpartition(":")[0].strip("[]")


@check(
    "secure.secrets",
    proves="no secret is in an image's layers or history, a container's settings, the list of "
    "processes, a log of any container, `moor config` or an error page",
    needs=["engine"],
    control="a secret in the environment",
)
def secrets(column: Column) -> str:
    """Search each place for each secret."""
    hidden, places = _contained(column).secrets(), 0
    claim(bool(hidden), "it has no secret, so that nothing could be found")
    for place, content in _places(column):
        places += 1
        found = [name for name, value in hidden.items() if value.encode() in content]
        claim(not found, f"{place} tells {', '.join(found)}")
    return f"0 of {len(hidden)} secrets in {places} places"


def _places(column: Column) -> Iterator[tuple[str, bytes]]:
    yield from _contained(column).told()
    for name in ("cmdline", "environ"):
        for one, text in told(_running(column), name):
            yield f"{name} of {one.role} {one.id}", text.encode()
    yield "the log", column.target.logs(1000).encode()
    yield "moor config", _config(column).encode()
    for path in ("/nobody-has-this", "/_probe/error"):
        yield f"the answer to {path}", wire.ask(f"{column.url}{path}").body


def _config(column: Column) -> str:
    said = io.StringIO()
    with redirect_stdout(said):
        report.config(column.settings)
    return said.getvalue()
