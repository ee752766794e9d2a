"""A one-node Kubernetes to be thrown away, for a machine that has no other cluster at hand.

Upstream's own programs run in namespaces of their own: what they mount, connect and configure is
theirs, and goes with them. What they leave on the machine itself is a folder, and cgroups that
have a name of this cluster alone.
"""

import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import psutil

from moorings import interrupts, probe, ui
from moorings.errors import CommandError, MoorError, NotReadyError, UsageError
from moorings.lock import Lock
from moorings.logfile import tail
from moorings.runner import Result, Runner
from moorings.services import cluster_pki
from moorings.services.cluster_build import Programs
from moorings.services.cluster_cgroups import Cgroups
from moorings.services.cluster_needs import PLUGINS
from moorings.services.cluster_net import Link, choose, cut
from moorings.services.cluster_node import Node
from moorings.services.cluster_plan import CTR, NODE, programs
from moorings.services.kubectl import at

#: Seconds for a start, for the end of what was killed, and for one command.
BOOT, END, ASK = 240.0, 30.0, 60.0

#: Seconds that the import of one image may take.
IMPORT = 300.0

#: What must run before the cluster is as others are.
ADDONS = ("coredns", "local-path-provisioner", "metrics-server")


@dataclass(frozen=True)
class Identity:
    """A process that is never taken for a later one of the same number."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "Identity":
        """Return that of a process that runs."""
        return cls(pid, psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """Return it if it still runs."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.started) < 0.05
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True)
class Record:
    """What is written down of a cluster that was started."""

    node: Identity
    network: str
    owner: Identity | None = None
    """Whose death ends it; None: it stays until it is taken down."""

    def write(self, file: Path) -> None:
        """Replace the file."""
        owner = self.owner and [self.owner.pid, self.owner.started]
        text = {"node": [self.node.pid, self.node.started], "network": self.network, "owner": owner}
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(text) + "\n")
        fresh.replace(file)

    @classmethod
    def read(cls, file: Path) -> "Record | None":
        """Return it; None where there is none that can be read."""
        try:
            raw: Mapping[str, list[float]] = json.loads(file.read_text())
            owner = raw["owner"] and Identity(int(raw["owner"][0]), raw["owner"][1])
            node = Identity(int(raw["node"][0]), raw["node"][1])
            return cls(node, str(raw["network"]), owner or None)
        except (FileNotFoundError, ValueError, KeyError, TypeError, IndexError):
            return None


@dataclass(frozen=True)
class Cluster:
    """The cluster of one folder; its names on the machine come from the path of that."""

    home: Path
    parts: Path
    """The folder of its configuration."""
    programs: Programs
    runner: Runner

    @property
    def name(self) -> str:
        """What its link and its cgroups are called: two clusters never share it."""
        return f"moor-{hashlib.sha256(os.fsencode(self.home)).hexdigest()[:8]}"

    @property
    def kubeconfig(self) -> Path:
        """What an operator's clients log in with."""
        return self.home / "kubeconfig"

    @property
    def server(self) -> str:
        """Where its API is; empty where it was not started."""
        try:
            raw = json.loads(self.kubeconfig.read_text())
        except (OSError, ValueError):
            return ""
        return str(at(raw, "clusters", 0, "cluster", "server") or "")

    def unproxied(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return an environment whose proxy is not asked for its API: no proxy reaches that."""
        address = urlsplit(self.server).hostname or ""
        before = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
        return {**environ, "NO_PROXY": ",".join(filter(None, (before, address)))}

    @property
    def cgroups(self) -> Cgroups:
        """Its cgroups."""
        return Cgroups(self.name)

    @property
    def whole(self) -> Path:
        """Is there once all of a start was done."""
        return self.home / "whole"

    def record(self) -> Record | None:
        """Return what was written down as it was started."""
        return Record.read(self.home / "cluster.json")

    def is_up(self) -> bool:
        """Tell whether it runs, and was started to the end."""
        return self.process() is not None and self.whole.exists()

    def is_left(self) -> bool:
        """Tell whether there is only what a dead one left, or one that nobody is there to end."""
        record = self.record()
        owner = None if record is None else record.owner
        return not self.is_up() or (owner is not None and owner.process() is None)

    def process(self) -> psutil.Process | None:
        """Return the process that holds the namespaces, if it runs."""
        record = self.record()
        return None if record is None else record.node.process()

    def kubectl(self, *words: str, timeout: float = ASK, check: bool = True) -> Result:
        """Run Kubernetes' client against this cluster, and no other."""
        argv = [self.programs.kubectl, f"--kubeconfig={self.kubeconfig}", *words]
        env = {**self.unproxied(os.environ), "KUBECACHEDIR": str(self.home / "cache")}
        return self.runner.run(argv, timeout=timeout, env=env, quiet=True, check=check)

    def up(self, owner: int | None = None) -> bool:
        """Start it; tell whether that was to be done. A start that is cut off leaves nothing.

        :param owner: a process whose death ends it; None: it stays until it is taken down.
        :raises MoorError: naming the program that did not start, with its last lines.
        """
        with self._alone("starting the cluster"):
            if not self.is_left():
                return False
            self._clear()
            try:
                self._start(None if owner is None else Identity.of(owner))
                self._settle()
                self.whole.touch()
            except MoorError as problem:
                told = self._told(problem)
                self._clear()
                raise told from None
            except BaseException:
                self._clear()
                raise
        return True

    def down(self) -> bool:
        """End it and leave nothing of it; tell whether there was something."""
        with self._alone("stopping the cluster"):
            found = self.home.exists()
            self._clear()
        return found

    def load(self, archive: Path) -> None:
        """Hand the node the images of an archive, as `docker save` writes it.

        :raises CommandError: where containerd does not take it.
        """
        place = archive if archive.parent == self.inbox else self.fresh()
        try:
            if archive != place:
                shutil.copyfile(archive, place)
            self._ctr("images", "import", f"/var/tmp/{place.name}", timeout=IMPORT)
        finally:
            place.unlink(missing_ok=True)

    @property
    def inbox(self) -> Path:
        """The folder for archives, which the node knows as /var/tmp."""
        return self.home / "var" / "tmp"

    def fresh(self) -> Path:
        """Return a place for an archive that nobody else writes to: deployments share a cluster."""
        return self.inbox / f"{uuid.uuid4().hex}.tar"

    def tag(self, image: str, name: str) -> bool:
        """Give an image of the node a further name; tell whether there is such an image."""
        words = ("images", "tag", f"docker.io/{image}", f"docker.io/{name}")
        return self._ctr(*words, check=False).status == 0

    def restart(self, name: str) -> None:
        """End a program of the node, which starts it again, and wait until it has.

        :raises UsageError: where the node has none of this name.
        """
        old = self._find(name)
        if old is None:
            known = ", ".join(program.name for program in programs("", ""))
            raise UsageError(f"the node runs no {name}", hint=f"it runs {known}")
        old.terminate()
        self._until(lambda: self._find(name) not in (None, old), f"another {name} to run")

    def _find(self, name: str) -> psutil.Process | None:
        """Return the process of a program of the node, and of no other cluster."""
        process = self.process()
        family = [] if process is None else process.children(recursive=True)
        for one in family:
            with suppress(psutil.NoSuchProcess):
                if one.name() == name:
                    return one
        return None

    def ready(self) -> bool:
        """Tell whether it runs and its node takes pods."""
        words = ("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=1s")
        return self.kubectl(*words, check=False).status == 0

    def _alone(self, doing: str) -> AbstractContextManager[None]:
        return Lock(self.home.with_name(f"{self.home.name}.lock")).held(doing)

    def _start(self, owner: Identity | None) -> None:
        self.home.mkdir(parents=True, mode=0o700)
        (self.home / "logs").mkdir()
        self.inbox.mkdir(parents=True)
        self.cgroups.make()
        with ui.working("Starting the node"), _one_at_a_time():
            link = choose(self.name, self.runner)
            cluster_pki.make(self.home / "pki", self.parts / "node" / "pki.cnf", link.node,
                             self.runner)  # fmt: skip
            with interrupts.held():
                node = Identity.of(self._launch(link))
                Record(node, str(link.network), owner).write(self.home / "cluster.json")
            _apart(node.pid)
            link.up(node.pid, self.runner)
        server = f"https://{link.node}:6443"
        cluster_pki.log_in(self.home / "pki", "admin", server, self.kubeconfig)

    def _launch(self, link: Link) -> int:
        node = Node(str(self.home), str(self.programs.bin), str(self.parts / "node"), self.name,
                    link.node, link.host)  # fmt: skip
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "NO_COLOR": "1"}
        log = self.home / "logs" / "node.log"
        return self.runner.start(node.argv(), cwd=self.home, env=env, log=log)

    def _settle(self) -> None:
        """Wait for the node, and give the cluster what others have from the start."""
        self._until(self._takes_images, "containerd to answer")
        with ui.working("Loading the cluster's own images"):
            for image in self.programs.images():
                archive = self.fresh()
                image.write(archive)
                self.load(archive)
        with ui.working("Waiting for the node"):
            self._until(self.ready, "the node to be ready")
        with ui.working("Waiting for names, volumes and metrics"):
            self.kubectl("apply", "--kustomize", str(self.parts / "addons"))
            for name in ADDONS:
                self.kubectl("rollout", "status", f"deployment/{name}", "--namespace=kube-system",
                             f"--timeout={BOOT:.0f}s", timeout=BOOT + ASK)  # fmt: skip
            account = ("get", "serviceaccount", "default")
            self._until(lambda: self.kubectl(*account, check=False).status == 0, "its accounts")

    def _takes_images(self) -> bool:
        """Tell whether the node's containerd answers, and not one of the host's."""
        # The log is there once the node has a /run of its own, where the socket is.
        own = (self.home / "logs" / "containerd.log").exists()
        return own and self._ctr("version", check=False).status == 0

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait as long as the node runs."""

        def ask() -> bool | None:
            if holds():
                return True
            if self.process() is None:
                raise CommandError("the node ended")
            return None

        probe.until(ask, what=what, timeout=BOOT, every=0.25)

    def _ctr(self, *words: str, timeout: float = ASK, check: bool = True) -> Result:
        """Run containerd's client where the node's files are."""
        process = self.process()
        if process is None:
            raise NotReadyError("the cluster does not run", hint="./moor cluster up")
        argv = ["nsenter", f"--target={process.pid}", "--mount", *CTR, *words]
        return self.runner.run(argv, timeout=timeout, quiet=True, check=check)

    def _told(self, problem: MoorError) -> MoorError:
        """Return an error with the last lines of those who were at work."""
        logs = sorted((self.home / "logs").glob("*.log"))
        lines = [f"{log.stem}: {line}" for log in logs for line in tail(log, 3).splitlines()]
        log = "\n".join([*lines, *problem.log.splitlines()])
        return CommandError(
            f"the cluster did not start: {problem.fact}", hint=problem.hint, log=log
        )

    def _clear(self) -> None:
        """End what runs of it, and remove what it left: also what a dead starter has."""
        process = self.process()
        if process is not None:
            family = [process, *process.children(recursive=True)]
            process.kill()
            psutil.wait_procs(family, timeout=END)
        cut(self.name, self.runner)
        self.cgroups.remove(END)
        self.runner.remove(self.home)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let no other cluster of this machine choose the same network meanwhile."""
    # Every cluster has this file, whatever its state folder, and the lock leaves nothing behind.
    with PLUGINS.open("rb") as stream:
        taken = partial(_taken, stream)
        probe.until(taken, what="another cluster to be started", timeout=BOOT)
        yield


def _taken(stream: IO[bytes]) -> bool | None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return True


def _apart(pid: int) -> None:
    """Wait until a process has a network namespace of its own."""
    own = os.readlink("/proc/self/ns/net")

    def ask() -> bool | None:
        try:
            return True if os.readlink(f"/proc/{pid}/ns/net") != own else None
        except OSError:
            raise CommandError("the node ended") from None

    probe.until(ask, what="the node's namespaces", timeout=END, every=0.05)
