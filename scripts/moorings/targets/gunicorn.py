"""Gunicorn as plain processes on this host."""

from dataclasses import dataclass
from pathlib import Path

from moorings import live, masters, ports, ui
from moorings.contract.outcome import Limit
from moorings.environments import interpreter
from moorings.errors import CommandError, MoorError, NotReadyError
from moorings.live import PATIENCE, Launch, Live
from moorings.logfile import tail
from moorings.masters import Master, Masters
from moorings.releases import HostReleases
from moorings.settings import option
from moorings.target import Context, Endpoints, Instance, Need, Release


@dataclass(frozen=True)
class Options:
    """Section [gunicorn] of moor.toml."""

    worker: str = option(
        "gthread",
        "class of the workers",
        flag="--worker",
        make="WORKER",
        choices=("gthread", "sync", "gevent", "asgi"),
    )


#: The columns of the grid: a class of workers each.
COLUMNS = {
    f"gunicorn-{worker}": {"gunicorn.worker": worker}
    for worker in ("gthread", "sync", "gevent", "asgi")
}

_SYNC = frozenset({"gunicorn-sync"})

#: Known limits, by the check that shows them.
LIMITS = {
    "serve.keepalive": Limit(
        "a sync worker closes every connection after its answer",
        "https://docs.gunicorn.org/en/stable/design.html#sync-workers",
        "always",
        _SYNC,
    ),
}


def create(context: Context) -> "Gunicorn":
    """Return the target."""
    return Gunicorn(context)


class Gunicorn:
    """Serves the app by a master on a socket of this host that its supervisor owns.

    The started release is a throwaway master on a private port: the candidate. `switch`
    starts a second master of the proved release on the public socket, beside the live one.
    """

    name = "gunicorn"

    def __init__(self, context: Context) -> None:
        """Read nothing but the context."""
        self.context = context
        self.server = context.settings.server
        self.options = context.settings.of(self.name, Options)
        self.releases = HostReleases(context, self.name)
        self.running = Live(context)
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
        address = self.running.address()
        if self.running.has(address):
            return []
        host, _, port = address.rpartition(":")
        return [ports.need(host.strip("[]"), int(port))]

    def version(self) -> Release:
        """Return the version of the working tree."""
        return self.releases.version()

    def build(self, release: Release) -> None:
        """Make the folder and the environment of the release."""
        self.releases.build(release)

    def built(self) -> set[str]:
        """Return the versions that can be started without a build."""
        return self.releases.built()

    def remove(self, version: str) -> None:
        """Remove the code of a release."""
        self.releases.remove(version)

    def accepts(self, release: Release) -> None:
        """Let the release say whether it can run on the data."""
        self.releases.accepts(release)

    def migrate(self, release: Release, command: str) -> None:
        """Run the migrations of the release."""
        self.releases.migrate(release, command)

    def start(self, release: Release) -> None:
        """Start the candidate on a private port."""
        self._stop_candidate()
        if not self.context.runner.dry:
            self._candidate_log.unlink(missing_ok=True)
        self._booted = set()
        folder = live.run_folder(self.context, "candidate")
        bind = f"127.0.0.1:{ports.free('127.0.0.1')}"
        launch = self._launch(release)
        pid = self.context.runner.start(
            launch.argv,
            cwd=launch.cwd,
            env={**launch.env, **live.run_environment(folder), "BIND": bind},
            log=self._candidate_log,
            user=self.context.user,
        )
        if not self.context.runner.dry:
            self.masters.put("candidate", Master.of(pid, bind, folder, release))

    def _launch(self, release: Release) -> Launch:
        conf = self.releases.folder(release) / "deploy" / "gunicorn" / "gunicorn.conf.py"
        gunicorn = self.releases.environment(release) / "bin" / "gunicorn"
        return Launch(
            argv=[str(gunicorn), "--config", str(conf)],
            env={**self.releases.environ(release), "WORKER_CLASS": self.options.worker},
            cwd=self.releases.work_folder(release),
        )

    @property
    def _candidate_log(self) -> Path:
        return self.running.log.with_name("candidate.log")

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
        workers = live.ready(Path(master.folder))
        died = self._booted - workers
        self._booted |= workers
        return not died

    def switch(self, release: Release) -> None:
        """Let a master of this release take over on the public socket."""
        self._stop_candidate()
        with ui.working("Switching to the new release"):
            self.running.switch(release, self._launch(release))

    def _stop_candidate(self) -> None:
        if self.context.runner.dry:
            return
        master = self.masters.get("candidate")
        if master is not None:
            masters.stop(master, self.server.grace + PATIENCE)
            self.masters.put("candidate", None)
        self.context.runner.remove(self.context.layout.run / "candidate")

    def retire(self, release: Release) -> None:
        """Stop the candidate; drain what still serves another release than the live one."""
        self._stop_candidate()
        self.running.retire_others()

    def live(self) -> Release | None:
        """Return the release that clients reach, if it runs."""
        return self.running.release()

    def reload(self, release: Release) -> None:
        """Check the new settings in a process of its own, then take them in.

        The environment of a running master cannot be changed from outside, so what changed
        is left in a file that its configuration reads again.
        """
        self._check(release)
        self.running.reload(release)

    def _check(self, release: Release) -> None:
        launch = self._launch(release)
        try:
            self.context.runner.run(
                [*launch.argv, "--check-config"],
                timeout=60,
                cwd=launch.cwd,
                env=launch.env,
                user=self.context.user,
            )
        except CommandError as problem:
            raise CommandError(
                "Gunicorn refuses the new settings",
                log=problem.log,
                hint="mend the setting; the running app was not touched",
            ) from None

    def instances(self) -> list[Instance]:
        """Return the supervisor, the live master and its workers."""
        return self.running.instances()

    def logs(self, lines: int = 100, release: Release | None = None) -> str:
        """Return the newest lines of the live log, or of the candidate's."""
        return tail(self.running.log if release is None else self._candidate_log, lines)

    def down(self, volumes: bool = False) -> None:
        """Stop everything; remove code, logs and run folders."""
        self._stop_candidate()
        with ui.working("Draining the app"):
            self.running.stop()
        layout = self.context.layout
        for folder in (layout.releases, layout.run, layout.logs):
            self.context.runner.remove(folder)
        if not self.context.runner.dry:
            self.masters.file.unlink(missing_ok=True)

    def endpoints(self) -> Endpoints:
        """Return the public address, if a master serves there."""
        master = self.running.master
        return Endpoints(app=f"http://{master.about['bind']}" if master is not None else "")
