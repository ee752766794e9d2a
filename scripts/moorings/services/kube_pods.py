"""Pods, and the processes in them as this host sees them, where the cluster is on this host."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from moorings.services import containers
from moorings.services.kubectl import Raw, at
from moorings.services.own_id import own_id
from moorings.target import Instance

#: Labels and annotations of moor's own.
NAME, RELEASE = "app.kubernetes.io/name", "moorings.release"

#: What serves a release; all else only helps.
APPS = ("app", "candidate")

#: Where a pod of the app listens.
APP_PORT = 8000


def name(pod: Raw) -> str:
    """Return the name of a pod."""
    return str(at(pod, "metadata", "name"))


def uid(pod: Raw) -> str:
    """Return what tells a pod from a later one of the same name."""
    return str(at(pod, "metadata", "uid") or "")


def role(pod: Raw) -> str:
    """Return what a pod is, by its label."""
    return str(at(pod, "metadata", "labels", NAME) or "")


def going(pod: Raw) -> bool:
    """Tell whether a pod was told to end."""
    return bool(at(pod, "metadata", "deletionTimestamp"))


def ready(pod: Raw) -> bool:
    """Tell whether a pod may get requests."""
    conditions = at(pod, "status", "conditions") or []
    found = {one.get("type"): one.get("status") for one in conditions}
    return found.get("Ready") == "True" and not going(pod)


def instances(pods: Sequence[Raw], top: Path = Path("/proc")) -> list[Instance]:
    """Return the processes of pods; where this host has none of them, the pods."""
    running = [pod for pod in pods if at(pod, "status", "phase") == "Running"]
    here = _by_container(running, top)
    return [one for pod in running for one in _of_pod(pod, here)]


def _of_pod(pod: Raw, here: Mapping[str, list[psutil.Process]]) -> list[Instance]:
    found = [process for id_ in _ids(pod) for process in here.get(id_, ())]
    if found:
        return list(_processes(pod, found))
    user = at(pod, "spec", "securityContext", "runAsUser")
    return [Instance(name(pod), role(pod), str(user), _version(pod))]


def _ids(pod: Raw) -> list[str]:
    statuses = at(pod, "status", "containerStatuses") or []
    ids = [str(one.get("containerID", "")).rpartition("/")[2] for one in statuses]
    return [one for one in ids if one]


def _version(pod: Raw) -> str:
    told = str(at(pod, "metadata", "annotations", RELEASE) or "")
    return told.partition(" ")[0] if role(pod) in APPS else ""


def _by_container(pods: Sequence[Raw], top: Path) -> dict[str, list[psutil.Process]]:
    """Return the processes of this host by the container in whose cgroup they are."""
    wanted = {id_ for pod in pods for id_ in _ids(pod)}
    found: dict[str, list[psutil.Process]] = {}
    for folder in top.glob("[0-9]*"):
        id_ = next((one for one in wanted if one in _cgroups(folder)), "")
        if id_:
            found.setdefault(id_, []).append(psutil.Process(int(folder.name)))
    return found


def _cgroups(folder: Path) -> str:
    try:
        return (folder / "cgroup").read_text()
    except OSError:
        return ""  # it has just ended


def _processes(pod: Raw, found: Sequence[psutil.Process]) -> Iterator[Instance]:
    """Return what each does: the one that others come from is the master."""
    parents = _parents(found)
    first = {pid for pid, parent in parents.items() if parent not in parents}
    master = _master(parents, first)
    near = [one for one in found if parents.get(one.pid) == master]
    workers = containers.workers(_commands(near))
    for process in found:
        pid = process.pid
        if role(pod) not in APPS:
            # PostgreSQL has a process for each connection: the first stands for all.
            if pid in first:
                yield from _instance(process, role(pod), pod)
            continue
        what = "helper"
        if pid == master:
            what = "master"
        elif pid in workers:
            what = "worker"
        yield from _instance(process, what, pod)


def _parents(found: Sequence[psutil.Process]) -> dict[int, int]:
    parents = {}
    for process in found:
        try:
            parents[process.pid] = process.ppid()
        except psutil.NoSuchProcess:
            continue
    return parents


def _commands(found: Sequence[psutil.Process]) -> dict[int, str]:
    commands = {}
    for process in found:
        # One that has just ended serves nothing.
        with suppress(psutil.NoSuchProcess):
            commands[process.pid] = " ".join(process.cmdline())
    return commands


def _master(parents: Mapping[int, int], first: set[int]) -> int:
    """Return who has most children: what only hands its messages on has one."""
    near = {pid for pid in parents if pid in first or parents[pid] in first}
    count = {pid: sum(parent == pid for parent in parents.values()) for pid in near}
    return max(near, key=lambda pid: (count[pid], pid in first, -pid), default=0)


def _instance(process: psutil.Process, what: str, pod: Raw) -> Iterator[Instance]:
    try:
        uid, memory = process.uids().real, process.memory_info().rss
    except psutil.NoSuchProcess:
        return
    user = "root" if uid == 0 else str(uid)
    known = own_id(name(pod), process.pid)
    yield Instance(str(process.pid), what, user, _version(pod), memory, own_id=known)


def claimed(pod: Raw) -> set[str]:
    """Return where the containers of a pod have a volume that was claimed."""
    spec = pod["spec"]
    names = {one["name"] for one in spec.get("volumes") or () if "persistentVolumeClaim" in one}
    mounts = [mount for one in spec["containers"] for mount in one.get("volumeMounts") or ()]
    return {str(mount["mountPath"]) for mount in mounts if mount["name"] in names}
