"""How many workers fit into the limits of this process's cgroup; never the host's count of CPUs.

It needs nothing but Python, and is a program too, as whoever starts the service asks it from
outside: it prints the number and the reason as JSON.
"""

import json
import math
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

# Where nothing limits the process: a big host is most often shared.
UNLIMITED = 2
# What a worker of an ordinary app may come to take, and the master beside them, in bytes.
PER_WORKER = 128 * 2**20
MASTER = 64 * 2**20
# The kernel's word for "no limit" of memory is a number: the largest, whole pages.
_NO_LIMIT = 2**60


@dataclass(frozen=True)
class Capacity:
    """So many workers, and why in words."""

    workers: int
    why: str


def measure(root: Path = Path("/"), cpus: int | None = None, host: int | None = None) -> Capacity:
    """Return what fits here.

    :param root: where `proc` and `sys` are.
    :param cpus: the CPUs that this process may run on; None: as the system says.
    :param host: all that there are; None: as the system says.
    """
    cpus = cpus or len(os.sched_getaffinity(0))
    host = host or os.cpu_count() or cpus
    unlimited = Capacity(UNLIMITED, "no limit of CPUs by the cgroup")
    found = [*(list(_by_cpus(root, cpus, host)) or [unlimited]), *_by_memory(root)]
    return min(found, key=lambda one: one.workers)


def _by_cpus(root: Path, cpus: int, host: int) -> Iterator[Capacity]:
    quotas = [quota for folder in _folders(root, "cpu") for quota in _quota(folder)]
    if quotas:
        least = min(quotas)
        yield Capacity(max(1, math.ceil(least)), f"{_cpus(least)} by the cgroup")
    if cpus < host:
        yield Capacity(cpus, f"{_cpus(cpus)} that it may run on")


def _cpus(number: float) -> str:
    return f"{number:g} CPU{'' if number == 1 else 's'}"


def _by_memory(root: Path) -> Iterator[Capacity]:
    names = ("memory.max", "memory.limit_in_bytes")
    read = [_word(folder / name) for folder in _folders(root, "memory") for name in names]
    limits = [int(word) for word in read if word.isdecimal() and int(word) < _NO_LIMIT]
    if limits:
        least = min(limits)
        fit = max(1, (least - MASTER) // PER_WORKER)
        yield Capacity(fit, f"{least // 2**20} MiB of memory by the cgroup")


def _quota(folder: Path) -> Iterator[float]:
    """Yield a folder's quota in CPUs: cgroup v2 has both words in one file."""
    quota, _, period = _word(folder / "cpu.max").partition(" ")
    if not quota:
        quota = _word(folder / "cpu.cfs_quota_us")
        period = _word(folder / "cpu.cfs_period_us")
    if quota.isdecimal() and period.isdecimal() and int(period):
        yield int(quota) / int(period)


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's cgroup and of those above it: each may set a limit."""
    paths = dict(_memberships(root))
    for name, top, place in _mounts(root, controller):
        if name in paths:
            path = PurePosixPath(paths[name])
            # In a container the path may be the host's, and the mount is the container's part.
            below = path.relative_to(top) if path.is_relative_to(top) else PurePosixPath()
            for part in (below, *below.parents):
                yield root / place.lstrip("/") / part


def _memberships(root: Path) -> Iterator[tuple[str, str]]:
    """Yield each controller and the cgroup's path in it; v2 has one path, of no name."""
    for line in _word(root / "proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            yield name, path


def _mounts(root: Path, controller: str) -> Iterator[tuple[str, str, str]]:
    """Yield where a controller may be: its name among the paths, the mount's top, its folder."""
    for line in _word(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        top, place = before.split()[3:5]
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup2":
            yield "", top, place
        elif kind == "cgroup" and controller in options.split(","):
            yield controller, top, place


def _word(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""  # the other version of cgroups, or none


if __name__ == "__main__":
    print(json.dumps(asdict(measure())))
