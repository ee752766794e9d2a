"""A cgroup of a cluster's own in each hierarchy of the machine, of version 1, 2 or both."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from moorings import probe

TOP = Path("/sys/fs/cgroup")

#: What the kubelet wants to divide among pods.
CONTROLLERS = ("cpu", "cpuset", "memory", "pids")

#: What it wants besides where a machine with version 2 offers it.
MORE = ("hugetlb", "io")


@dataclass(frozen=True)
class Cgroups:
    """The cgroups of one name: `node` below it has the node's programs, `kubepods` the pods."""

    name: str
    top: Path = TOP

    @property
    def path(self) -> str:
        """As the kubelet is told it."""
        return f"/{self.name}"

    def roots(self) -> list[Path]:
        """Return where the hierarchies are mounted: one of version 2, or many of version 1."""
        if _is_unified(self.top):
            return [self.top]
        found = {one.resolve() for one in self.top.glob("*/") if (one / "cgroup.procs").exists()}
        return sorted(found)

    def lacking(self) -> list[str]:
        """Return the controllers that this machine does not offer."""
        if _is_unified(self.top):
            offered = (self.top / "cgroup.controllers").read_text().split()
        else:
            offered = [one.name for one in self.top.glob("*/") if (one / "cgroup.procs").exists()]
        return [one for one in CONTROLLERS if one not in offered]

    def make(self) -> None:
        """Make them.

        :raises OSError: where this process may not.
        """
        for root in self.roots():
            for folder in (root / self.name, root / self.name / "node"):
                _offer(folder.parent)
                folder.mkdir(exist_ok=True)
                _inherit(folder)

    def enter(self) -> None:
        """Move this process in, and what it starts from now on."""
        for root in self.roots():
            # 0 is whoever writes it.
            (root / self.name / "node" / "cgroup.procs").write_text("0")

    def folders(self) -> list[Path]:
        """Return what there is of them, the deepest first."""
        tops = (root / self.name for root in self.roots())
        return [folder for top in tops if top.exists() for folder in _deepest_first(top)]

    def remove(self, timeout: float) -> None:
        """Remove them, once what ran in them is gone.

        :param timeout: seconds.
        :raises NotReadyError: where something still runs in one.
        """
        probe.until(
            self._removed, what=f"the cgroup {self.name} to be empty", timeout=timeout,
            last=lambda: ", ".join(map(str, self.folders()[:3])),
        )  # fmt: skip

    def _removed(self) -> bool | None:
        for folder in self.folders():
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                # A process that was killed holds it until the kernel is done with it.
                return None
        return True


def _is_unified(top: Path) -> bool:
    return (top / "cgroup.controllers").exists()


def _offer(folder: Path) -> None:
    """Let those below a cgroup of version 2 have its controllers.

    https://docs.kernel.org/admin-guide/cgroup-v2.html#enabling-and-disabling
    """
    offered = folder / "cgroup.controllers"
    if offered.exists():
        wanted = [one for one in offered.read_text().split() if one in (*CONTROLLERS, *MORE)]
        (folder / "cgroup.subtree_control").write_text(" ".join(f"+{one}" for one in wanted))


def _inherit(folder: Path) -> None:
    """Give a cgroup of version 1 the processors of the one above: it starts with none."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        own = folder / name
        if own.exists() and not _is_unified(folder) and not own.read_text().strip():
            own.write_text((folder.parent / name).read_text())


def _deepest_first(top: Path) -> Iterator[Path]:
    for folder, _, _ in os.walk(top, topdown=False):
        yield Path(folder)
