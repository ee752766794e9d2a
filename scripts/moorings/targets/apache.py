"""Apache httpd as plain processes on this host, with the app in mod_wsgi's daemon processes."""

import re
import signal
from dataclasses import dataclass, replace
from pathlib import Path

from moorings import live, server_lines
from moorings.contract.outcome import Limit
from moorings.errors import CommandError, MoorError, NeedError
from moorings.handover import Reopened
from moorings.live import Launch, Live
from moorings.logfile import tail
from moorings.mastered import MasteredTarget
from moorings.releases import HostReleases
from moorings.settings import option
from moorings.target import Context, Need, Release
from moorings.users import hand_over

PROGRAM = Path("/usr/sbin/apache2")
#: Debian's; the first brings no service, the second no Python of its own.
PACKAGES = ("apache2-bin", "libapache2-mod-wsgi-py3")
INSTALL = f"as root: apt-get install --yes --no-install-recommends {' '.join(PACKAGES)}"

#: Known limits, by the check that shows them.
LIMITS = {
    "serve.smuggling": Limit(
        "httpd takes a request with a length and chunks by its chunks, where refusing is safer",
        "https://www.rfc-editor.org/rfc/rfc9112#section-6.1",
        "always",
        r"^a length and chunks: answered \[\d+\], not refused;"
        r" chunks and a length: answered \[\d+\], not refused$",
    ),
    "serve.slow_clients": Limit(
        "a client that sends its body slowly holds a thread of the app: put a gateway before it",
        "https://modwsgi.readthedocs.io/en/develop/configuration-directives/WSGIDaemonProcess.html",
        "always",
        r"^no answer beside 500 slow clients",
    ),
}

#: The lowest port that anybody may open.
LOWEST = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")

#: Seconds beyond the grace period: Apache itself takes up to 10 to end what does not end.
PATIENCE = 0.5


@dataclass(frozen=True)
class Options:
    """Section [apache] of moor.toml."""

    modules: str = option("/usr/lib/apache2/modules", "folder of Apache's modules")
    static: str = option(
        "", "folder of the files for /static/, from the app's; empty: the app answers them"
    )


def create(context: Context) -> MasteredTarget:
    """Return the target."""
    return Apache(context)


class Server:
    """Its command lines."""

    name = "apache"
    title = "Apache"
    column = "apache"
    gateway = "none"
    protocol = "http"

    def argv(self, files: Path, programs: Path) -> list[str]:
        """Name the program and its configuration; all else comes by the environment."""
        return [str(PROGRAM), "-f", str(files / "httpd.conf"), "-D", "FOREGROUND"]

    def env(self) -> dict[str, str]:
        """Have nothing to add here."""
        return {}

    def checking(self, argv: list[str]) -> list[str]:
        """Read the configuration, and serve nothing."""
        return [*argv, "-t"]


class Apache(MasteredTarget):
    """Each release is an httpd of its own, which takes over the address from the one before."""

    ends_by: int = signal.SIGWINCH
    """What waits for running requests; SIGTERM cuts them."""

    def __init__(self, context: Context) -> None:
        """Read nothing but the context."""
        super().__init__(context, Server())
        self.options = context.settings.of(self.name, Options)
        self.running = Live(context, handover=Reopened(context.user), patience=PATIENCE)
        self.releases = HostReleases(context, self.name, self._python_of_module)

    def needs(self) -> list[Need]:
        """Want Apache, its module, the Python of this module, and the port."""
        missing = [file for file in (PROGRAM, self._module) if not file.exists()]
        if missing:
            return [Need(f"{missing[0]} is not installed", False, INSTALL, PACKAGES)]
        if self.context.settings.server.socket:
            return [Need("Apache listens on ports alone", False, "leave server.socket empty")]
        if self.front.wanted:
            return [Need("Apache has no gateway before it", False, "leave gateway.kind empty")]
        return [*self._right(), *super().needs()]

    def _right(self) -> list[Need]:
        """Want a port that the service's user may open: the supervisor opens none for Apache."""
        port, lowest = self.context.settings.server.port, int(LOWEST.read_text())
        if not 0 < port < lowest:
            return []
        how = f"choose one from {lowest} on: PORT=8000 with make, --port with ./moor"
        return [Need(f"port {port} is for root alone, and Apache does not run as root", False, how)]

    def _python(self) -> Need:
        try:
            found = self._python_of_module()
        except MoorError as problem:
            return Need(problem.fact, False, problem.hint)
        return Need(found, True, "")

    @property
    def _module(self) -> Path:
        return Path(self.options.modules) / "mod_wsgi.so"

    def _python_of_module(self) -> str:
        """Return the interpreter that the module was built for; another's packages crash it."""
        if not self._module.exists():
            if self.context.runner.dry:
                return ""
            raise NeedError(f"{self._module} is not there", hint="apache.modules names its folder")
        found = re.search(rb"libpython(3\.\d+)[a-z]*\.so", self._module.read_bytes())
        if found is None:
            raise NeedError(f"{self._module} names no Python", hint=INSTALL)
        version = found[1].decode()
        python = Path(f"/usr/bin/python{version}")
        if not python.exists():
            fact = f"mod_wsgi is built for Python {version}, and {python} is not there"
            raise NeedError(fact, hint=f"apt-get install python{version}-minimal")
        return str(python)

    def _launch(self, release: Release) -> Launch:
        launch = super()._launch(release)
        return replace(launch, env={**launch.env, **self._env(release)}, ends_by=self.ends_by)

    def _env(self, release: Release) -> dict[str, str]:
        layout = self.context.layout
        work = self.releases.work_folder(release)
        return {
            "FILES": str(self.releases.folder(release) / "deploy" / self.name),
            "MODULES": self.options.modules,
            "VIRTUAL_ENV": str(self.releases.environment(release)),
            "WORK_DIR": str(work),
            "STATIC_DIR": str(work / self.options.static)
            if self.options.static
            else "/nonexistent",
            "LOG_DIR": str(layout.logs),
            # An address of a socket holds 107 bytes, and the folder of a run has a long name.
            "SOCKETS": str(layout.run),
        }

    def start(self, release: Release) -> None:
        """Check the configuration and import the app, then start the candidate."""
        if not self.context.runner.dry:
            hand_over(self.context.layout.run, self.context.user)
        self._check(release)
        self._import(release)
        super().start(release)

    def _check(self, release: Release) -> None:
        """See that Apache takes the configuration, in a run folder of the candidate's."""
        launch = self._launch(release)
        folder = live.run_folder(self.context, "candidate")
        env = {**launch.env, **live.run_environment(folder), "BIND": self.running.address()}
        try:
            self.context.runner.run(
                self.server.checking(launch.argv),
                timeout=60,
                cwd=launch.cwd,
                env=env,
                user=self.context.user,
            )
        except CommandError as problem:
            raise CommandError(
                f"Apache refuses its configuration: {_line(problem.log)}",
                log=problem.log,
                hint="mend it in deploy/apache",
            ) from None

    def _import(self, release: Release) -> None:
        """Load the app once by itself: Apache would serve on without it."""
        launch = self._launch(release)
        self.context.runner.run(
            ["python", "-c", "import runtime.wsgi"],
            timeout=self.context.settings.server.boot_timeout,
            cwd=launch.cwd,
            env=launch.env,
            user=self.context.user,
        )

    def logs(self, lines: int = 100, release: Release | None = None) -> str:
        """Return the newest lines of the app, and Apache's own: of itself, then of requests."""
        said = super().logs(lines, release)
        if release is not None:
            return said
        folder = self.context.layout.logs
        own = map(server_lines.of_apache, tail(folder / "error.log", lines).splitlines())
        return "\n".join(filter(None, (said, *own, tail(folder / "access.log", lines))))

    def reload(self, release: Release) -> None:
        """Let another httpd of the same release take over: a graceful one would cut requests."""
        self._check(release)
        self.running.switch(release, self._launch(release))
        self.running.retire_others()


def _line(log: str) -> str:
    """Return what Apache says is wrong, with the file and the line."""
    said = [line for line in log.splitlines() if line.strip() and not line.startswith("Action")]
    return " ".join(said[:2]) if said else "it does not say why"
