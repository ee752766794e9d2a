"""Gunicorn as plain processes on this host."""

import json
import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from moorings import masters, ports, probe, ui, users
from moorings.environments import interpreter
from moorings.errors import CommandError, MoorError, NotReadyError
from moorings.logfile import tail
from moorings.masters import Master, Masters
from moorings.releases import HostReleases
from moorings.settings import option
from moorings.target import Context, Endpoints, Instance, Need, Release

#: Seconds beyond the grace period after which a stop becomes a kill.
PATIENCE = 3.0


@dataclass(frozen=True)
class Options:
    """Section [gunicorn] of moor.toml."""

    worker: str = option(
        "gthread", "class of the workers", flag="--worker", make="WORKER", choices=("gthread",)
    )


def create(context: Context) -> "Gunicorn":
    """Return the target."""
    return Gunicorn(context)


class Gunicorn:
    """Serves the app by one master on a port of this host.

    The started release is a throwaway master on a private port: the candidate. `switch`
    stops the live master and starts one of the proved release on the public port, so that
    the port is closed for a moment between the two.
    """

    name = "gunicorn"

    def __init__(self, context: Context) -> None:
        """Read nothing but the context."""
        self.context = context
        self.server = context.settings.server
        self.options = context.settings.of(self.name, Options)
        self.releases = HostReleases(context, self.name)
        self.masters = Masters(context.layout.home / "masters.json")
        self._booted: set[str] = set()

    @property
    def column(self) -> str:
        """Name the server and its worker."""
        return f"{self.name}-{self.options.worker}"

    def needs(self) -> list[Need]:
        """Want a Python that the service's user can run, and the port."""
        return [self._python(), *self._port()]

    def _python(self) -> Need:
        try:
            found = interpreter(self.context.user)
        except MoorError as problem:
            return Need(problem.fact, False, problem.hint)
        return Need(found, True, "")

    def _port(self) -> list[Need]:
        live = self.masters.get("live")
        bind = self._public_address(live)
        if live is not None and live.bind == bind:
            return []
        host, _, port = bind.rpartition(":")
        return [ports.need(host, int(port))]

    def version(self) -> Release:
        """Return the version of the working tree."""
        return self.releases.version()

    def build(self, release: Release) -> None:
        """Make the folder and the environment of the release."""
        self.releases.build(release)

    def migrate(self, release: Release, command: str) -> None:
        """Run the migrations of the release."""
        self.releases.migrate(release, command)

    def start(self, release: Release) -> None:
        """Start the candidate on a private port."""
        self._stop("candidate")
        self._log("candidate").unlink(missing_ok=True)
        self._booted = set()
        self._master("candidate", release, f"127.0.0.1:{ports.free('127.0.0.1')}")

    def _master(self, role: str, release: Release, bind: str) -> None:
        folder = self._run_folder(role)
        pid = self.context.runner.start(
            self._argv(release),
            cwd=self.releases.work_folder(release),
            env={**self.releases.environ(release), **self._environ(folder, bind)},
            log=self._log(role),
            user=self.context.user,
        )
        if not self.context.runner.dry:
            self.masters.put(role, Master.of(pid, bind, folder, release))

    def _argv(self, release: Release) -> list[str]:
        conf = self.releases.folder(release) / "deploy" / "gunicorn" / "gunicorn.conf.py"
        gunicorn = self.releases.environment / "bin" / "gunicorn"
        return [str(gunicorn), "--config", str(conf), "runtime.wsgi:application"]

    def _environ(self, folder: Path, bind: str) -> dict[str, str]:
        return {
            "BIND": bind,
            "WORKER_CLASS": self.options.worker,
            "METRICS_DIR": str(folder / "metrics"),
            "READY_DIR": str(folder / "ready"),
            "RELOAD_FILE": str(folder / "reload.json"),
        }

    def _run_folder(self, role: str) -> Path:
        folder = self.context.layout.run / f"{role}-{time.time_ns()}"
        if not self.context.runner.dry:
            for part in ("", "metrics", "ready"):
                users.hand_over(folder / part, self.context.user)
        return folder

    def _log(self, role: str) -> Path:
        logs = self.context.layout.logs
        if not self.context.runner.dry:
            logs.mkdir(parents=True, exist_ok=True)
        return logs / ("app.log" if role == "live" else f"{role}.log")

    def prove_url(self, release: Release) -> str:
        """Ask the candidate."""
        master = self.masters.get("candidate")
        if master is None:
            raise NotReadyError(f"release {release.version} ended while it booted")
        return f"http://{master.bind}"

    def alive(self, release: Release) -> bool:
        """Tell whether the candidate runs, and each of its workers that has booted."""
        master = self.masters.get("candidate")
        if master is None:
            return False
        # The master puts another in the place of a worker that dies: it would seem to live on.
        workers = {file.name for file in Path(master.folder, "ready").glob("*")}
        died = self._booted - workers
        self._booted |= workers
        return not died

    def switch(self, release: Release) -> None:
        """Stop the live master, start one of this release on its port."""
        bind = self._public_address(self.masters.get("live"))
        with ui.working("Switching to the new release"):
            self._stop("live")
            self._master("live", release, bind)
            self._wait_for_workers(release)
        self._stop("candidate")

    def _public_address(self, old: Master | None) -> str:
        host, port = self.server.host, self.server.port
        if port == 0 and old is not None:
            return old.bind
        return f"{host}:{port or ports.free(host)}"

    def _wait_for_workers(self, release: Release, besides: frozenset[str] = frozenset()) -> None:
        workers = int(release.env["WEB_CONCURRENCY"])
        if self.context.runner.dry:
            return

        def booted() -> bool | None:
            master = self.masters.get("live")
            if master is None:
                return False
            fresh = {file.name for file in Path(master.folder, "ready").iterdir()} - besides
            return True if len(fresh) >= workers else None

        what = f"{workers} workers of release {release.version} to boot"
        if not probe.until(booted, what=what, timeout=self.server.boot_timeout):
            raise NotReadyError(f"release {release.version} ended on its public port")

    def _stop(self, role: str) -> None:
        if self.context.runner.dry:
            return
        master = self.masters.get(role)
        if master is not None:
            masters.stop(master, self.server.grace + PATIENCE)
            shutil.rmtree(master.folder, ignore_errors=True)
        self.masters.put(role, None)

    def retire(self, release: Release) -> None:
        """Stop the candidate; remove the code unless the live one is of this version."""
        self._stop("candidate")
        live = self.masters.get("live")
        if live is None or live.version != release.version:
            self.releases.remove(release)

    def live(self) -> Release | None:
        """Return the release of the live master, if it runs."""
        master = self.masters.get("live")
        return master.release if master is not None else None

    def reload(self, release: Release) -> None:
        """Check the new settings in a process of its own, then SIGHUP.

        The environment of a running master cannot be changed from outside, so what changed
        is left in a file that its configuration reads again.
        """
        master = self.masters.get("live")
        if master is None:
            raise NotReadyError("the app ended before it could be reloaded", hint="moor logs")
        self._check(release)
        folder = Path(master.folder)
        before = frozenset(file.name for file in (folder / "ready").iterdir())
        self._leave(folder / "reload.json", release)
        os.kill(master.pid, signal.SIGHUP)
        self._wait_for_workers(release, besides=before)
        self.masters.put("live", Master.of(master.pid, master.bind, folder, release))

    def _check(self, release: Release) -> None:
        try:
            self.context.runner.run(
                [*self._argv(release), "--check-config"],
                timeout=60,
                cwd=self.releases.work_folder(release),
                env={**self.releases.environ(release), "WORKER_CLASS": self.options.worker},
                user=self.context.user,
            )
        except CommandError as problem:
            raise CommandError(
                "Gunicorn refuses the new settings",
                log=problem.log,
                hint="mend the setting; the running app was not touched",
            ) from None

    def _leave(self, file: Path, release: Release) -> None:
        file.touch(mode=0o600)
        file.write_text(json.dumps(dict(release.env)))
        if self.context.user is not None:
            os.chown(file, self.context.user.uid, self.context.user.gid)

    def instances(self) -> list[Instance]:
        """Return the live master and its workers."""
        master = self.masters.get("live")
        process = master.process() if master is not None else None
        if master is None or process is None:
            return []
        family = [(process, "master"), *((one, "worker") for one in process.children())]
        return [_instance(one, role, master) for one, role in family]

    def logs(self, lines: int = 100, release: Release | None = None) -> str:
        """Return the newest lines of the live log, or of the candidate's."""
        return tail(self._log("live" if release is None else "candidate"), lines)

    def down(self, volumes: bool = False) -> None:
        """Stop both masters; remove code, logs and run folders."""
        self._stop("candidate")
        with ui.working("Draining the app"):
            self._stop("live")
        layout = self.context.layout
        for folder in (layout.releases, layout.run, layout.logs):
            self.context.runner.remove(folder)
        if not self.context.runner.dry:
            self.masters.file.unlink(missing_ok=True)

    def endpoints(self) -> Endpoints:
        """Return the public address, if a master serves there."""
        master = self.masters.get("live")
        return Endpoints(app=f"http://{master.bind}" if master is not None else "")


def _instance(process: psutil.Process, role: str, master: Master) -> Instance:
    with process.oneshot():
        return Instance(
            id=str(process.pid),
            role=role,
            user=process.username(),
            version=master.version,
            memory=process.memory_info().rss,
            listens=(master.bind,) if role == "master" else (),
        )
