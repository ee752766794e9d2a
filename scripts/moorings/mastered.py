"""The target of every server whose masters share a socket that the supervisor owns.

The started release is a throwaway master on a private port: the candidate. `switch` starts a
second master of the proved release on the public socket, beside the live one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from moorings import addresses, front, ui
from moorings.candidate import Candidate
from moorings.environments import interpreter
from moorings.errors import CommandError, MoorError
from moorings.front import NGINX, PARTS, Front
from moorings.live import Launch
from moorings.logfile import tail
from moorings.releases import HostReleases
from moorings.target import Context, Endpoints, Instance, Need, Release


class Server(Protocol):
    """What one server brings: its names and its command lines. It starts nothing itself."""

    name: str
    """The target's: of its folder below deploy/ and of its lock file."""
    title: str
    """As people write it."""
    gateway: str
    """What it is meant to run behind: nginx, or none."""
    protocol: str
    """What its masters speak on a Unix socket: http, or uwsgi."""

    @property
    def column(self) -> str:
        """The column of the conformance grid."""

    def argv(self, files: Path, programs: Path) -> list[str]:
        """Return its command line.

        :param files: the folder of its native configuration in the release.
        :param programs: the `bin` folder of the release's environment.
        """

    def env(self) -> Mapping[str, str]:
        """Return what its configuration reads beyond the environment of the service."""

    def checking(self, argv: list[str]) -> list[str]:
        """Return the command that only checks the configuration of this command line."""


class MasteredTarget:
    """Serves the app by masters of one server on a socket of this host."""

    proved_serves = False
    mixes = False

    def __init__(self, context: Context, server: Server) -> None:
        """Read nothing but the context."""
        self.context = context
        self.server = server
        self.name = server.name
        before = front.kind(context, server.gateway)
        self.releases = HostReleases(context, server.name, more=PARTS[before])
        self.front = Front(context, self.releases, before, server.protocol)
        self.running = self.front.masters
        self.candidate = Candidate(context)

    @property
    def column(self) -> str:
        """The server's, and the gateway where the server does not always have one."""
        return f"{self.server.column}+nginx" if self._unusual else self.server.column

    @property
    def _unusual(self) -> bool:
        return self.front.wanted and self.server.gateway != NGINX

    @property
    def longest_stop(self) -> float:
        """Return the grace period."""
        return float(self.context.settings.server.grace)

    @property
    def hops(self) -> int:
        """The gateway."""
        return self.front.hops

    def needs(self) -> list[Need]:
        """Want a Python that the service's user can run, the gateway, and the address."""
        return [self._python(), *self.front.needs(), *self._address()]

    def _python(self) -> Need:
        try:
            found = interpreter(self.context.user)
        except MoorError as problem:
            return Need(problem.fact, False, problem.hint)
        return Need(found, True, "")

    def _address(self) -> list[Need]:
        address = self.front.address()
        return [] if self.front.has(address) else [addresses.need(address)]

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
        self.candidate.start(release, self._launch(release))

    def _launch(self, release: Release) -> Launch:
        files = self.releases.folder(release) / "deploy" / self.name
        return Launch(
            argv=self.server.argv(files, self.releases.environment(release) / "bin"),
            env={**self.releases.environ(release), **self.server.env()},
            cwd=self.releases.work_folder(release),
        )

    def prove_url(self, release: Release) -> str:
        """Ask the candidate."""
        return self.candidate.url(release)

    def alive(self, release: Release) -> bool:
        """Tell whether the candidate runs, and each of its workers that has booted."""
        return self.candidate.alive()

    def switch(self, release: Release) -> None:
        """Let a master of this release take over on the public socket."""
        self.candidate.stop()
        self.front.prepare(release)
        with ui.working("Switching to the new release"):
            self.running.switch(release, self._launch(release))
            self.front.put(release, self.running.stop)

    def retire(self, release: Release) -> None:
        """Stop the candidate; drain what still serves another release than the live one."""
        self.candidate.stop()
        self.running.retire_others()

    def live(self) -> Release | None:
        """Return the release that clients reach, if it runs."""
        return self.front.seen(self.running.release())

    def reload(self, release: Release) -> None:
        """Check the new settings in a process that serves nothing, then let another master serve.

        The environment of a running one cannot be changed from outside, and what the servers'
        own reloads cost is measured in `reload.load`.
        """
        self.front.require_same()
        self._check(release)
        with ui.working("Taking in the new settings"):
            self.running.reload(release, self._launch(release))
        self.front.reload(release)

    def _check(self, release: Release) -> None:
        launch = self._launch(release)
        try:
            self.context.runner.run(
                self.server.checking(launch.argv),
                timeout=60,
                cwd=launch.cwd,
                env=launch.env,
                user=self.context.user,
            )
        except CommandError as problem:
            raise CommandError(
                f"{self.server.title} refuses the new settings",
                log=problem.log,
                hint="mend the setting; the running app was not touched",
            ) from None

    def instances(self) -> list[Instance]:
        """Return the supervisor, the live master and its workers, and those of the gateway."""
        return [*self.running.instances(), *self.front.instances()]

    def strays(self) -> list[str]:
        """Return the processes that no state knows any more."""
        return [str(one.pid) for one in self.running.strays()]

    def data(self) -> list[str]:
        """Return the files in the deployment's data folder."""
        return [str(file) for file in self.context.layout.data.rglob("*") if file.is_file()]

    def logs(self, lines: int = 100, release: Release | None = None) -> str:
        """Return the newest lines of the live log, or of the candidate's."""
        if release is not None:
            return tail(self.candidate.log, lines)
        return "\n".join(filter(None, (tail(self.running.log, lines), self.front.logs(lines))))

    def down(self, volumes: bool = False) -> None:
        """Stop everything; remove code, logs and run folders."""
        self.candidate.stop()
        within = self.front.down()
        with ui.working("Draining the app"):
            # The settings may want another gateway than what runs was deployed with.
            for masters in (self.running, self.front.plain, self.front.colours):
                masters.stop(within)
        self.front.clear()
        layout = self.context.layout
        for folder in (layout.releases, layout.run, layout.logs):
            self.context.runner.remove(folder)
        self.candidate.forget()

    def endpoints(self) -> Endpoints:
        """Return the public address, if a master serves there."""
        master = self.running.master
        app = addresses.url(master.about["bind"]) if master is not None else ""
        return self.front.endpoints(app)

    def maintain(self, on: bool) -> None:
        """Let the gateway answer for the app, or no longer."""
        self.front.maintain(on)
