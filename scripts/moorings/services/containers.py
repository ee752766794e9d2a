"""Containers as the engine describes them, and the processes in them as this host sees them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moorings.services.engine import Engine
from moorings.services.own_id import own_id
from moorings.target import Instance, Release

#: What `docker top` is asked for; the arguments come last, as they have spaces in them.
COLUMNS = "pid,ppid,uid,rss,args"


#: A label with the digest of its files, and where Compose mounts secrets.
FILES, SECRETS = "moorings.files", "/run/secrets/"


@dataclass(frozen=True)
class Container:
    """One container of the project, as the engine describes it."""

    raw: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Its short id."""
        return str(self.raw["Id"])[:12]

    @property
    def service(self) -> str:
        """What Compose calls it."""
        return str(self._labels.get("com.docker.compose.service", ""))

    @property
    def runs(self) -> bool:
        """Whether it runs, and is not just being started anew."""
        state = self.raw["State"]
        return bool(state["Running"]) and not state.get("Restarting")

    @property
    def goes_on(self) -> bool:
        """Whether it runs, or is just being started anew."""
        state = self.raw["State"]
        return bool(state["Running"] or state.get("Restarting"))

    @property
    def ails(self) -> bool:
        """Whether it has ended, is started again and again, or does not answer as it should."""
        health = (self.raw["State"].get("Health") or {}).get("Status", "")
        return not self.runs or self.restarts > 0 or health == "unhealthy"

    @property
    def restarts(self) -> int:
        """How often the engine has started it anew."""
        return int(self.raw["RestartCount"])

    @property
    def pid(self) -> int:
        """The process with which it ends, by its number on this host; 0: it does not run."""
        return int(self.raw["State"]["Pid"])

    @property
    def image(self) -> str:
        """The image that it was made of, by name."""
        return str(self.raw["Config"]["Image"])

    @property
    def image_id(self) -> str:
        """That image by its digest: another one may have the name by now."""
        return str(self.raw["Image"])

    @property
    def command(self) -> list[str]:
        """The words with which it was started."""
        return [str(word) for word in self.raw["Config"]["Cmd"] or ()]

    @property
    def env(self) -> dict[str, str]:
        """Its environment, that of its image included."""
        pairs = (str(line).partition("=") for line in self.raw["Config"]["Env"] or ())
        return {name: value for name, _, value in pairs}

    @property
    def memory(self) -> int:
        """Bytes that it may have; 0: all."""
        return int(self.raw["HostConfig"]["Memory"])

    @property
    def binds(self) -> set[tuple[str, str]]:
        """What of this host it has: the path here, and in it. Secrets have a place of their own."""
        mounts = [one for one in self.raw.get("Mounts") or () if one["Type"] == "bind"]
        pairs = {(str(one["Source"]), str(one["Destination"])) for one in mounts}
        return {pair for pair in pairs if not pair[1].startswith(SECRETS)}

    def kept(self, folder: str) -> set[str]:
        """Return where it has a volume of the engine, or a folder of this host."""
        mounts = self.raw.get("Mounts") or ()
        return {str(one["Destination"]) for one in mounts
                if one["Type"] == "volume" or one["Source"] == folder}  # fmt: skip

    @property
    def files(self) -> str:
        """The digest of the files that it has read, where it reads them once."""
        return str(self._labels.get(FILES, ""))

    @property
    def release(self) -> Release | None:
        """What it was started as, where it is an app."""
        return Release.of_label(self._labels.get("moorings.release", ""))

    def address(self, network: str) -> str:
        """Return its address in a network of the project, as this host reaches it."""
        project = self._labels.get("com.docker.compose.project", "")
        found = self.raw["NetworkSettings"]["Networks"].get(f"{project}_{network}") or {}
        return str(found.get("IPAddress", ""))

    def published(self, port: int) -> str:
        """Return where this host reaches a port of it, as `host:port`; empty where it does not."""
        return next(iter(self._bound(f"{port}/tcp")), "")

    def all_published(self) -> list[str]:
        """Return where this host reaches any port of it: `host:port`, and `/udp` where it is."""
        asked = {**self.raw["HostConfig"]["PortBindings"], **self.raw["NetworkSettings"]["Ports"]}
        return [place for port in asked for place in self._bound(port)]

    def _bound(self, port: str) -> list[str]:
        # The settings of a container that is stopped say it too.
        bound = self.raw["NetworkSettings"]["Ports"].get(port)
        bound = bound or self.raw["HostConfig"]["PortBindings"].get(port) or []
        return [place(one["HostIp"], one["HostPort"], port.partition("/")[2]) for one in bound]

    @property
    def _labels(self) -> Mapping[str, str]:
        labels: Mapping[str, str] = self.raw["Config"]["Labels"] or {}
        return labels


def place(host: str, port: str, protocol: str) -> str:
    """Return where this host reaches a port: `host:port`, with its protocol where it is not TCP."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return address if protocol == "tcp" else f"{address}/{protocol}"


@dataclass(frozen=True)
class Process:
    """One process of a container, by the number that it has on this host."""

    pid: int
    parent: int
    user: str
    memory: int
    """Resident bytes."""
    command: str


def processes(engine: Engine, container: Container) -> list[Process]:
    """Return what runs in a container by its own doing; nothing where it has just ended."""
    said = engine.ask("top", container.id, "-eo", COLUMNS)
    rows = said.output.splitlines()[1:] if said.status == 0 else []
    found = [_process(row.split(maxsplit=4)) for row in rows if len(row.split()) > 4]
    return _descended(found, container.pid)


def _descended(found: list[Process], first: int) -> list[Process]:
    """Return the first process and all that come from it.

    What else is in there has entered from outside, and is gone in a moment: a healthcheck, say, as
    root and with all capabilities until the engine's runtime has become it.
    """
    known, before = {first}, set[int]()
    while known != before:
        before, known = known, known | {one.pid for one in found if one.parent in known}
    return [one for one in found if one.pid in known]


def _process(words: list[str]) -> Process:
    pid, parent, uid, rss, command = words
    # By number: this host has other names for the users of an image, except for one.
    user = "root" if uid == "0" else uid
    return Process(int(pid), int(parent), user, int(rss) * 1024, command)


def instances(engine: Engine, container: Container) -> list[Instance]:
    """Return the processes of a container with what each does."""
    found, release = processes(engine, container), container.release
    if release is None:
        return [_instance(container, one, container.service) for one in found]
    init = {one.pid for one in found} & {container.pid}
    families = [(one, _children(found, one)) for one in found if one.parent in init]
    master = max(families, key=lambda item: (len(item[1]), -item[0].pid), default=None)
    roles = {one.pid: "helper" for one in found}
    if master is not None:
        roles[master[0].pid] = "master"
        serving = workers({one.pid: one.command for one in master[1]})
        roles |= dict.fromkeys(serving, "worker")
    return [_instance(container, one, roles[one.pid], release.version) for one in found]


def _children(found: list[Process], of: Process) -> list[Process]:
    return [one for one in found if one.parent == of.pid]


def workers(commands: Mapping[int, str]) -> set[int]:
    """Return which children of a master serve the app, by their command lines.

    Apache has front servers too, and names the others. Where the master is the container's first
    process, what reads its messages is a child of it as well.
    """
    named = {pid for pid, command in commands.items() if command.startswith("moorings")}
    return named or {pid for pid, command in commands.items()
                     if "apache2" not in command and "runtime.messages" not in command}  # fmt: skip


def _instance(container: Container, process: Process, role: str, version: str = "") -> Instance:
    # An engine names a container's host by the first figures of its id.
    known = own_id(container.id[:12], process.pid)
    return Instance(str(process.pid), role, process.user, version, process.memory, own_id=known)
