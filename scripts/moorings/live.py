"""The masters on a public socket: put one in place of another, retire, reload, stop.

What a server needs for it is its command; the socket belongs to the supervisor, so it is never
closed between two releases.
"""

import shutil
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from moorings import addresses, guarded, masters, ports, probe, strays, ui, users
from moorings.environments import interpreter
from moorings.errors import MoorError, NeedError, NotReadyError
from moorings.handover import Handover
from moorings.logfile import tail
from moorings.supervised import Master, Supervised
from moorings.target import UNWATCHED, Context, Instance, Release

#: Seconds beyond the grace period after which a stop becomes a kill.
PATIENCE = 3.0

#: Seconds beyond the keep-alive time for which the drain is announced: a request that was sent
#: just before the end must have arrived.
MARGIN = 1.0


@dataclass(frozen=True)
class Launch:
    """How the target starts a server of a release."""

    argv: list[str]
    env: Mapping[str, str]
    cwd: Path
    ends_by: int = signal.SIGTERM
    """The signal that asks it to answer what it has, and end."""
    orphans_end_by: int = signal.SIGTERM
    """The same for its workers, where it was killed."""


@dataclass(frozen=True)
class Part:
    """A part of a deployment that has a socket of its own."""

    folder: str = ""
    """Below the deployment's own; empty: that one."""
    log: str = "app"
    title: str = ""
    """What comes before the roles of its processes."""


APP = Part()


class Live:
    """The masters that clients reach."""

    def __init__(
        self,
        context: Context,
        address: str = "",
        handover: Handover | None = None,
        patience: float = PATIENCE,
        part: Part = APP,
    ) -> None:
        """Read nothing but the context.

        :param address: `host:port` or `unix:` and a path; empty: what the settings say.
        :param handover: how masters share an address; by default they inherit its socket.
        :param patience: seconds beyond the grace period for what the server cuts by itself.
        :param part: which part of the deployment it is.
        """
        self.context = context
        self.part = part
        self._address = address
        self._patience = patience
        self.server = context.settings.server
        self.layout = context.layout
        self.home = self.layout.home / part.folder
        self.supervised = Supervised(self.home, context.runner, context.user, handover)
        self._owner = context.user.owner if context.user else None

    @property
    def master(self) -> Master | None:
        """The one that clients are meant to reach, if it runs."""
        return self.supervised.good()

    def release(self) -> Release | None:
        """Return what clients reach; one without its supervisor is no release that was deployed."""
        master = self.master
        if master is None:
            return None
        watched = self.supervised.process() is not None
        return master.release if watched else replace(master.release, settings=UNWATCHED)

    def address(self) -> str:
        """Return the public address: with port 0 a free one, kept as long as the app runs."""
        wanted = self._address or addresses.wanted(self.server)
        host, _, port = wanted.rpartition(":")
        if port != "0":
            return wanted
        _, _, kept = self.master.about["bind"].rpartition(":") if self.master else ("", "", "")
        return f"{host}:{kept if kept.isdecimal() else ports.free(self.server.host)}"

    def has(self, address: str) -> bool:
        """Tell whether the socket of an address is ours, though its supervisor was killed."""
        left = (one for one in self.supervised.masters() if one.process() is not None)
        return address in (self.supervised.address, *(one.about["bind"] for one in left))

    @property
    def log(self) -> Path:
        """Its log."""
        return self.layout.logs / f"{self.part.log}.log"

    def switch(self, release: Release, launch: Launch) -> None:
        """Start a master beside the live one and hand over to it, once all its workers serve."""
        bind = self.address()
        if self.context.runner.dry:
            # The supervisor would do it: this is what it would run.
            ui.command(launch.argv)
            return
        self.make_ready(bind)
        self._replace(release, launch, bind)

    def make_ready(self, bind: str) -> None:
        """See that a supervisor has the socket, and that no failed master is left on it."""
        log, python = self.layout.logs / "supervisor.log", interpreter(self.context.user)
        if not self.supervised.revive(log, python) or self.supervised.address != bind:
            self._require_free(bind)
            self.stop()
        self.supervised.ensure(bind, log, python)
        self._drop([one for one in self.supervised.masters() if not one.good], announce=False)

    def _require_free(self, bind: str) -> None:
        """Ask again, before the old one goes: the address may have been taken meanwhile."""
        held = self.master is not None and self.master.about["bind"] == bind
        need = addresses.need(bind)
        if not (held or need.there):
            raise NeedError(need.what, hint=need.how)

    def _replace(self, release: Release, launch: Launch, bind: str) -> None:
        name = f"{release.version}-{time.time_ns()}"
        old = self.master
        if old is not None:
            self.supervised.handover.stay(old.pid, bind)
        about = {
            "version": release.version,
            "commit": release.commit,
            "settings": release.settings,
            "bind": bind,
        }
        env = {**launch.env, **run_environment(self._run_folder(name)), "BIND": bind}
        workers = int(release.env["WEB_CONCURRENCY"])

        def serves() -> None:
            self.wait_for_workers(name, workers)
            if old is not None:
                self.supervised.handover.go(old.pid, bind)

        self.put(name, replace(launch, env=env), about, serves)

    def put(
        self, name: str, launch: Launch, about: dict[str, str], wait: Callable[[], None]
    ) -> None:
        """Start a master beside the live one; it is the live one as soon as it serves.

        :param about: what is to be found of it again.
        :param wait: returns when it serves.
        """
        # One that died a moment ago is started again: it is still the live one.
        old = next((one for one in self.supervised.masters() if one.good), None)
        self.supervised.ask("start", name=name, argv=launch.argv, env=dict(launch.env),
                            cwd=str(launch.cwd), log=str(self.log), about=about,
                            ends_by=launch.ends_by,
                            orphans_end_by=launch.orphans_end_by)  # fmt: skip
        try:
            wait()
            self.supervised.ask("good", name=name, about=about)
        except BaseException as problem:
            if isinstance(problem, MoorError):
                problem.log = tail(self.log, 200)
            self._take_back(name, old)
            raise

    def _take_back(self, name: str, old: Master | None) -> None:
        """Remove a new master; the old one is the live one, whatever was said of the new one."""
        if old is not None:
            self.supervised.handover.stay(old.pid, old.about["bind"])
            self.supervised.ask("good", name=old.name, about=old.about)
        new = [one for one in self.supervised.masters() if one.name == name]
        # Clients may have met its workers already.
        self._drop(new, announce=old is not None)
        if old is None:
            self.stop()

    def _run_folder(self, name: str) -> Path:
        return run_folder(self.context, name, self.supervised.runs)

    def wait_for_workers(self, name: str, workers: int) -> None:
        """Wait until every worker of a master has booted."""

        def booted() -> bool | None:
            master = next((one for one in self.supervised.masters() if one.name == name), None)
            if master is None or master.process() is None:
                return False
            return True if len(ready(master.folder)) >= workers else None

        what = f"{workers} workers of {name} to boot"
        if not probe.until(booted, what=what, timeout=self.server.boot_timeout):
            raise NotReadyError("the new master ended before all of its workers had booted")

    def retire_others(self) -> None:
        """Let every master but the live one drain and end."""
        if self.context.runner.dry:
            return
        live = self.master
        others = [one for one in self.supervised.masters() if live and one.name != live.name]
        self._drop(others, announce=True)

    def _drop(self, gone: list[Master], announce: bool) -> None:
        try:
            if announce and gone:
                self._announce(gone)
        finally:
            for one in gone:
                self.supervised.ask("stop", name=one.name)
        self._wait_until_gone(gone)

    def _announce(self, drained: list[Master]) -> None:
        """Let each answer close its connection, for as long as a client may sit idle."""
        for one in drained:
            guarded.leave(one.folder / "drain", "", self._owner)
        until = time.monotonic() + self.server.keep_alive + MARGIN
        with ui.working("Announcing the drain of the old release"):
            while time.monotonic() < until and any(one.process() for one in drained):
                time.sleep(0.1)

    def _wait_until_gone(self, stopped: list[Master], within: float | None = None) -> None:
        most = self.server.grace + self._patience if within is None else within
        for one in stopped:
            process = one.process()
            if process is not None:
                masters.wait_or_kill(process, most)
            shutil.rmtree(one.folder, ignore_errors=True)

    def reload(self, release: Release, launch: Launch) -> None:
        """Put a master with changed settings in place of the live one, at the address it has."""
        if self.context.runner.dry:
            ui.command(launch.argv)
            return
        master = self.master
        if master is None:
            raise NotReadyError("the app ended before it could be reloaded", hint="./moor logs")
        log = self.layout.logs / "supervisor.log"
        if not self.supervised.revive(log, interpreter(self.context.user)):
            raise NotReadyError(
                "the supervisor was killed, and no other may take its place",
                hint="./moor deploy, which closes the port for a moment",
            )
        self._replace(release, launch, master.about["bind"])
        self.retire_others()

    def stop(self, within: float | None = None) -> None:
        """Drain every master and end the supervisor; fine where nothing runs.

        :param within: seconds that the drain may take; by default what a server needs that ends
            by itself at the end of the grace period.
        """
        if self.context.runner.dry:
            return
        strays.stop(self.strays(), self.server.grace + PATIENCE if within is None else within)
        found = self.supervised.masters()
        left = [(process, one.ends_by) for one in found if (process := one.process()) is not None]
        process = self.supervised.process()
        bound = {self.supervised.address, *(one.about["bind"] for one in found)}
        if process is not None:
            self.supervised.ask("quit")
        elif left:
            ui.warn("the supervisor is gone: its masters are stopped, and the port closes for it")
            for server, ends_by in left:
                server.send_signal(ends_by)
        self._wait_until_gone(found, within)
        if process is not None:
            masters.wait_or_kill(process, PATIENCE)
        self.supervised.clear()
        for address in bound:
            addresses.forget(address, self._owner)

    def strays(self) -> list[psutil.Process]:
        """Return what runs of this deployment where nothing is written down of it."""
        known = self.supervised.process() is not None or self.supervised.masters()
        return [] if known else strays.find(self.home, self.context.user)

    def instances(self) -> list[Instance]:
        """Return the supervisor, the live master and its workers."""
        master, process = self.master, self.supervised.process()
        main = master.process() if master is not None else None
        if master is None or main is None:
            return []
        found = [(main, "master"), *_family(main, ready(master.folder))]
        if process is not None:
            found.insert(0, (process, "supervisor"))
        seen = (_instance(one, f"{self.part.title} {role}".lstrip(), master) for one, role in found)
        return [one for one in seen if one is not None]


def run_folder(context: Context, name: str, below: Path | None = None) -> Path:
    """Make the folder of one run of a server: its metrics, its readiness, its flags."""
    folder = (below or context.layout.run) / name
    if not context.runner.dry:
        # The supervisor opens the log by the rights of the service.
        users.hand_over(context.layout.logs, context.user)
        # The innermost first: in a folder of the service's user nothing is made by root.
        for part in ("metrics", "ready", ""):
            users.hand_over(folder / part, context.user)
    return folder


def run_environment(folder: Path) -> dict[str, str]:
    """Return the variables that tell a server where the files of its run are."""
    return {
        "RUN_DIR": str(folder),
        "METRICS_DIR": str(folder / "metrics"),
        "READY_DIR": str(folder / "ready"),
        "DRAIN_FILE": str(folder / "drain"),
    }


def ready(folder: Path) -> set[str]:
    """Return the workers of a run that have booted and live, by their pids."""
    named = (file.name for file in (folder / "ready").glob("*"))
    # Not every server has somebody who could clear up after a worker that crashed.
    return {name for name in named if name.isdecimal() and psutil.pid_exists(int(name))}


def _family(main: psutil.Process, workers: set[str]) -> list[tuple[psutil.Process, str]]:
    """Return what a master started, each with what it does: some have others than workers."""
    try:
        found = [*main.children(), *masters.orphans(main)]
    except psutil.NoSuchProcess:
        return []
    return [(one, "worker" if str(one.pid) in workers else "helper") for one in found]


def _instance(process: psutil.Process, role: str, master: Master) -> Instance | None:
    """Describe a process; None where it ended meanwhile."""
    with suppress(psutil.NoSuchProcess), process.oneshot():
        return Instance(
            id=str(process.pid),
            role=role,
            user=process.username(),
            version=master.about["version"],
            memory=process.memory_info().rss,
            listens=(master.about["bind"],) if role.endswith("master") else (),
        )
    return None
