"""nginx before an app: what clients reach. Its masters share a public socket of its supervisor.

Another configuration is another master on the same socket; the one before announces its drain
and ends. A deploy of the app does not touch it: the app's own socket is never closed.
"""

import signal
import time
from pathlib import Path

from moorings import addresses, gateway_files, packages, ports, probe, server_lines, ui, users
from moorings.errors import CommandError, NeedError, NotReadyError
from moorings.gateway_files import Behind
from moorings.live import Launch, Live, Part
from moorings.logfile import tail
from moorings.target import Context, Instance, Need

PART = Part("gateway", "gateway", "gateway")

#: Its processes: more than one, so that a slow disk does not hold up all connections.
WORKERS = 2

#: Seconds within which a started master serves.
BOOT = 10.0

#: How nginx takes listening sockets over from its predecessor: by their numbers.
ENVIRONMENT = {"NGINX": "3;", "LANG": "C.UTF-8"}


class Gateway:
    """The gateway of one deployment, whether it runs or not."""

    def __init__(self, context: Context) -> None:
        """Read nothing but the context."""
        self.context = context
        self.server = context.settings.server
        self.live = Live(context, part=PART)
        self.home = self.live.home

    @property
    def flags(self) -> Path:
        """The folder of the flags that outlive a run."""
        return self.home / "flags"

    @property
    def public(self) -> Path:
        """The link to the folder that holds the live release's `static` folder."""
        return self.home / "public"

    @property
    def access(self) -> Path:
        """The log of its access lines; what it says of itself is in another."""
        return self.live.log.with_name("gateway-access.log")

    def logs(self, lines: int) -> str:
        """Return its newest lines: of itself, then of requests."""
        errors = "\n".join(map(server_lines.of_nginx, tail(self.live.log, lines).splitlines()))
        return "\n".join(filter(None, (errors, tail(self.access, lines))))

    @property
    def url(self) -> str:
        """Where clients reach it; empty where it does not run."""
        master = self.live.master
        return addresses.url(master.about["bind"]) if master is not None else ""

    @property
    def inner(self) -> str:
        """Where operators reach it; empty where it does not run."""
        master = self.live.master
        port = master.about.get("inner", "") if master is not None else ""
        # By the service's user: it says a port, and no other place.
        return f"http://127.0.0.1:{port}" if port.isdecimal() else ""

    def needs(self) -> list[Need]:
        """Want nginx."""
        return [packages.need("nginx", "nginx")]

    def check(self, behind: Behind) -> None:
        """Let nginx read a configuration that is not in use.

        :raises CommandError: with the line that it names.
        """
        if self.context.runner.dry:
            ui.command(self._argv(self.home))
            return
        name = "check"
        try:
            self._prepared(name, behind, self.live.address())
        finally:
            self.context.runner.remove(self._folder(name))

    def put(self, behind: Behind) -> None:
        """See that it runs with this configuration; where another runs, that one drains and ends.

        :raises CommandError: with the line that nginx names; what runs is not touched.
        """
        if self.context.runner.dry:
            return
        bind = self.live.address()
        digest = gateway_files.digest(behind, self.server, bind)
        if self._runs(digest, bind):
            # One that was broken off may have left another beside it.
            self.live.retire_others()
            return
        self.live.make_ready(bind)
        name = f"nginx-{time.time_ns()}"
        launch, inner = self._prepared(name, behind, bind)
        about = {"version": "nginx", "commit": "", "settings": digest,
                 "bind": bind, "inner": str(inner)}  # fmt: skip
        self.live.put(name, launch, about, lambda: self._wait(name, inner))
        self.live.retire_others()
        ui.good(f"nginx is before the app at {addresses.shown(addresses.url(bind))}")

    def _runs(self, digest: str, bind: str) -> bool:
        master, watched = self.live.master, self.live.supervised.process() is not None
        same = {"settings": digest, "bind": bind}
        return watched and master is not None and same.items() <= master.about.items()

    def _folder(self, name: str) -> Path:
        return self.home / "run" / name

    def _prepared(self, name: str, behind: Behind, bind: str) -> tuple[Launch, int]:
        """Make the folder of a run, and let nginx read its configuration."""
        folder, inner = self._folder(name), ports.free("127.0.0.1")
        self.flags.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True)
        gateway_files.write(folder, behind, self.server, bind, inner, self.access)
        users.hand_over(self.context.layout.logs, self.context.user)
        # From here on root makes nothing in it.
        users.hand_over(folder, self.context.user)
        argv = self._argv(folder)
        self._read(argv, folder)
        return Launch(argv, ENVIRONMENT, folder, signal.SIGQUIT, signal.SIGQUIT), inner

    def _argv(self, folder: Path) -> list[str]:
        nginx = packages.find("nginx")
        if not nginx and not self.context.runner.dry:
            raise NeedError("nginx is not installed", hint=self.needs()[0].how)
        main = f"worker_processes {WORKERS}; worker_shutdown_timeout {self.server.grace}s;"
        return [nginx or "nginx", "-p", str(folder), "-c", "nginx.conf", "-e", "stderr", "-g", main]

    def _read(self, argv: list[str], folder: Path) -> None:
        try:
            self.context.runner.run([*argv, "-t", "-q"], timeout=30, cwd=folder,
                                    user=self.context.user)  # fmt: skip
        except CommandError as problem:
            said = problem.log.strip().splitlines()
            why = next((line for line in said if "[emerg]" in line), problem.fact)
            hint = "mend the file that it names; nothing was touched"
            raise CommandError(f"nginx refuses its configuration: {why}", hint=hint) from None

    def _wait(self, name: str, inner: int) -> None:
        ask = probe.Http(f"http://127.0.0.1:{inner}/-/gateway")

        def serves() -> bool | None:
            found = (one for one in self.live.supervised.masters() if one.name == name)
            if not any(one.process() for one in found):
                return False
            return True if ask() is not None else None

        if not probe.until(serves, what="nginx to answer", timeout=BOOT, last=ask.last):
            raise NotReadyError("nginx ended before it served")

    def point(self, folder: Path) -> None:
        """Serve static files from this folder's `static` from now on."""
        if self.context.runner.dry:
            return
        self.home.mkdir(parents=True, exist_ok=True)
        fresh = self.public.with_name("public.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(folder)
        fresh.replace(self.public)

    def maintain(self, on: bool) -> None:
        """Answer clients 503, or no longer."""
        flag = self.flags / "maintenance"
        if on:
            flag.touch()
        else:
            flag.unlink(missing_ok=True)

    @property
    def maintained(self) -> bool:
        """Tell whether clients are answered 503."""
        return (self.flags / "maintenance").exists()

    def instances(self) -> list[Instance]:
        """Return its supervisor, its master and its workers."""
        return self.live.instances()

    def down(self) -> None:
        """Answer what runs, stop, remove all of it; fine where nothing is up."""
        if self.home.exists():
            with ui.working("Draining the gateway"):
                self.live.stop()
            self.context.runner.remove(self.home)
