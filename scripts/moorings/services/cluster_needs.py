"""What a cluster wants of this machine, and what to use where that cannot be had."""

import os
from functools import partial
from pathlib import Path

from moorings import packages, users
from moorings.runner import LocalRunner
from moorings.services.cluster_cgroups import Cgroups
from moorings.target import Need

INSTEAD = "use another cluster: kind, minikube, or one that you have (kubectl config get-contexts)"

#: Programs, and Debian's packages that have them.
PROGRAMS = {
    "containerd": "containerd",
    "runc": "runc",
    "etcd": "etcd-server",
    "nft": "nftables",
    "iptables": "iptables",
    "ip": "iproute2",
    "openssl": "openssl",
    "catatonit": "catatonit",
    "busybox": "busybox-static",
    "unshare": "util-linux",
    "nsenter": "util-linux",
}

#: Where Debian has the plug-ins that connect pods.
PLUGINS = Path("/usr/lib/cni/bridge")

#: The filesystems that the kernel has by now; and what is there once rules hold on a bridge too, so
#: that an answer between two pods of one comes from the Service that was asked.
FILESYSTEMS, BRIDGED = Path("/proc/filesystems"), Path("/proc/sys/net/bridge")

NAMESPACES = ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--mount-proc"]


def needs() -> list[Need]:
    """Return rights and kernel first: where they lack, no package helps."""
    root = users.is_root()
    found = [Need("root" if root else "a cluster of moor's own wants root", root, INSTEAD)]
    if root:
        found += [_namespaces(), _overlay(), _cgroups()]
    return [*found, *_packages()]


def _packages() -> list[Need]:
    """Return one need for all of them, so that one installation brings them."""
    lacking = {package: program for program, package in PROGRAMS.items()
               if not packages.find(program)}  # fmt: skip
    if not PLUGINS.exists():
        lacking["containernetworking-plugins"] = str(PLUGINS)
    if not lacking:
        return [Need("containerd, etcd and what connects pods", True, "")]
    names = tuple(sorted(lacking))
    how = f"as root: apt-get install --yes --no-install-recommends {' '.join(names)}"
    what = f"not installed: {', '.join(sorted(lacking.values()))}"
    return [Need(what, False, how, names)]


def _namespaces() -> Need:
    said = LocalRunner().run([*NAMESPACES, "true"], timeout=15, quiet=True, check=False)
    last = "".join(said.output.strip().splitlines()[-1:])
    what = "namespaces" if said.status == 0 else f"namespaces may not be made here: {last}"
    return Need(what, said.status == 0, INSTEAD)


def _overlay() -> Need:
    # On a fresh machine both are modules that nobody has needed yet.
    if not _has_overlay():
        _load("overlay")
    if not BRIDGED.exists():
        _load("br_netfilter")
    there = _has_overlay()
    return Need("overlay" if there else "the kernel has no overlay filesystem", there, INSTEAD)


def _has_overlay() -> bool:
    return "\toverlay\n" in FILESYSTEMS.read_text()


def _load(module: str) -> None:
    """Load a module of the kernel; fine where it has none, or may not."""
    program = packages.find("modprobe")
    if program:
        argv = [program, "--quiet", module]
        LocalRunner().run(argv, timeout=15, quiet=True, check=False)


def _cgroups() -> Need:
    # Others may be asking the same just now.
    why = blocked(Cgroups(f"moor-probe-{os.getpid()}"))
    return Need(why or "cgroups", not why, INSTEAD)


def blocked(cgroups: Cgroups) -> str:
    """Tell why no cgroup can be made here; empty where one can. Leaves none behind."""
    lacking = cgroups.lacking()
    if lacking:
        return f"this machine offers no cgroup of: {', '.join(lacking)}"
    remove = partial(cgroups.remove, 5.0)
    try:
        cgroups.make()
    except OSError as problem:
        remove()
        return f"cgroups may not be made here: {problem}"
    remove()
    return ""
