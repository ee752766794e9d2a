"""uWSGI as plain processes on this host."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from moorings.contract.outcome import Limit
from moorings.errors import CommandError
from moorings.live import Launch
from moorings.mastered import MasteredTarget
from moorings.target import Context, Release

#: The columns of the grid: behind nginx by its own protocol, and alone by HTTP.
COLUMNS: Mapping[str, Mapping[str, object]] = {"uwsgi": {}, "uwsgi-http": {"gateway.kind": "none"}}

_ALONE = frozenset({"uwsgi-http"})

#: Known limits, by the check that shows them.
LIMITS = {
    "serve.keepalive": Limit(
        "uWSGI's http-socket closes every connection after its answer",
        "https://uwsgi-docs.readthedocs.io/en/latest/HTTP.html",
        "without a gateway",
        r"^the server closes this connection, as it announced$",
        _ALONE,
    ),
    "serve.slow_clients": Limit(
        "a client that sends slowly holds a thread",
        "https://uwsgi-docs.readthedocs.io/en/latest/HTTP.html",
        "without a gateway",
        r"^no answer beside 500 slow clients",
        _ALONE,
    ),
    "drain.queued": Limit(
        "a worker that stops takes nothing more, and the backlog is reset with the socket",
        "https://github.com/unbit/uwsgi/issues/1974",
        "without a gateway",
        r"^\d of 5 failed; the first: ",
        _ALONE,
    ),
}


def create(context: Context) -> MasteredTarget:
    """Return the target."""
    return UwsgiTarget(context, Uwsgi())


class Uwsgi:
    """Its command lines."""

    name = "uwsgi"
    title = "uWSGI"
    column = "uwsgi"
    gateway = "nginx"
    protocol = "uwsgi"

    def argv(self, files: Path, programs: Path) -> list[str]:
        """Name the program and its configuration; all else comes by the environment."""
        own = [str(programs / "uwsgi"), "--ini", str(files / "uwsgi.ini")]
        return [str(programs / "python"), "-m", "runtime.messages", *own]

    def env(self) -> Mapping[str, str]:
        """Have nothing to add here."""
        return {}

    def checking(self, argv: list[str]) -> list[str]:
        """Read the configuration, and end before anything is opened."""
        plain = argv[argv.index("runtime.messages") + 1 :]
        return [*plain, "--hook-asap", "exit:0"]


class UwsgiTarget(MasteredTarget):
    """Finds a broken configuration before anything is touched."""

    @property
    def column(self) -> str:
        """Name it apart where it is what clients reach."""
        return "uwsgi" if self.front.wanted else "uwsgi-http"

    def build(self, release: Release) -> None:
        """Make the release, and let uWSGI read its configuration."""
        super().build(release)
        self._check(release)

    def start(self, release: Release) -> None:
        """Start the candidate, which speaks HTTP: nothing stands before it."""
        launch = self._launch(release)
        self.candidate.start(release, replace(launch, env={**launch.env, "PROTOCOL": "http"}))

    def _launch(self, release: Release) -> Launch:
        launch = super()._launch(release)
        speaks = Uwsgi.protocol if self.front.wanted else "http"
        return replace(launch, env={**launch.env, "PROTOCOL": speaks, **self._harakiri()})

    def _harakiri(self) -> Mapping[str, str]:
        """End what even a deadline cannot; without a deadline a request may take any time."""
        server = self.context.settings.server
        return {"HARAKIRI": str(server.timeout)} if server.deadline and server.timeout else {}

    def _check(self, release: Release) -> None:
        launch = self._launch(release)
        ran = self.context.runner.run(
            self.server.checking(launch.argv),
            timeout=60,
            cwd=launch.cwd,
            env=launch.env,
            user=self.context.user,
            check=False,
        )
        # A file without its section is read as an empty one, and a plugin that is missing is left.
        if ran.status != 0 or any(word in ran.output for word in ("WARNING", "UNABLE to load")):
            raise CommandError(
                f"uWSGI refuses its configuration: {_line(ran.output)}",
                log=ran.output,
                hint="mend it in deploy/uwsgi/uwsgi.ini; the running app was not touched",
            )


def _line(output: str) -> str:
    """Return what uWSGI says last."""
    said = [line for line in output.splitlines() if line.strip() and "(asap)" not in line]
    return said[-1] if said else "it does not say why"
