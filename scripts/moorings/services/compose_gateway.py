"""The gateway of a Compose project: it is told by files, and its container stays."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from moorings import addresses, gateway_files, guarded, ports, probe, ui
from moorings.errors import MoorError, NotReadyError
from moorings.gateway_files import Behind
from moorings.live import MARGIN
from moorings.services import containers
from moorings.services.compose import BEYOND, GREEN, Project
from moorings.services.containers import Container
from moorings.settings import Server
from moorings.target import Endpoints, Need

#: Where it listens in its container, by compose.yaml: for clients, and for operators.
OUTER, INNER = 8080, 8081

#: What stands for every address of this host.
EVERY = {"0.0.0.0", "[::]"}

FLAGS = Path("/flags")

#: Its files in the checkout; in a deployment they are texts by their names.
FILES = Path("deploy/parts/nginx")
Files = Mapping[str, str]

#: A line in files that nginx may not have read.
UNREAD = "\n# To be read anew.\n"

#: What a worker of nginx calls itself; one that ends adds to it.
WORKER = "nginx: worker process"

BEHIND = Behind(
    files=Path(),
    colours=("blue:8000", "green:8000"),
    protocol="http",
    public=Path("/var/empty"),
    flags=FLAGS,
    inside="0.0.0.0",  # of its container: it is published on loopback alone
    more=(
        # Docker's own DNS: a container that was made anew has another address.
        "resolver 127.0.0.11 valid=1s ipv6=off;",
        # What one colour refused, as it had just stopped, the other takes.
        'set $spare "green:8000";',
        f'if (-f {FLAGS / GREEN}) {{ set $spare "blue:8000"; }}',
        "access_log /dev/stdout line;",
    ),
)


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def configuration(server: Server) -> str:
    """Return its local.conf."""
    return gateway_files.local(BEHIND, server, str(OUTER), INNER, FLAGS / "drain")


@dataclass(frozen=True)
class ComposeGateway:
    """Starts it, and lets it take in another configuration without losing a request."""

    project: Project
    server: Server

    @property
    def _folder(self) -> Path:
        return self.project.gateway.parent

    def needs(self) -> list[Need]:
        """Want the address that the settings name, where it does not have that already."""
        if self.server.socket:
            return [addresses.PORT_ALONE]
        found, wanted = self.project.find("gateway"), addresses.wanted(self.server)
        now = found.published(OUTER) if found is not None and found.goes_on else ""
        if now == wanted or not self.server.port:
            return []
        (host, _, port), (other, _, at) = now.rpartition(":"), wanted.rpartition(":")
        # Its own port is taken for all addresses, by itself: that tells nothing of others.
        return [] if port == at and {host, other} & EVERY else [addresses.need(wanted)]

    def prepare(self) -> None:
        """Write its files, where it has none yet; those that it has change by `put` alone."""
        if not (self._folder / "nginx.conf").exists():
            self.write(self.wanted())

    def put(self) -> None:
        """See that it runs, with the files of the checkout and what the settings mean."""
        if self.project.engine.runner.dry:
            return
        wanted, found = self.wanted(), self.project.find("gateway")
        before = {name: _text(self._folder / name) for name in wanted}
        if found is None or not found.runs:
            self.write(wanted)
            self.project.do("up", "--detach", "--no-deps", "--no-build", "gateway")
        elif wanted != before:
            self._take_in(found, wanted, before)

    def wanted(self) -> Files:
        """Return its files as they are to be."""
        folder = self.project.engine.layout.root / FILES
        files = {file.name: file.read_text() for file in folder.glob("*.conf")}
        return files | {"local.conf": configuration(self.server)}

    def write(self, files: Files) -> None:
        """Write its files, which it takes in when it is told."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            # In place: the container has this very file.
            (self._folder / name).write_text(text)

    def _take_in(self, container: Container, wanted: Files, before: Files) -> None:
        engine, same = self.project.engine, ("-p", "/run/gateway", "-c", "/etc/gateway/nginx.conf")
        test = ("exec", container.id, "nginx", *same, "-e", "stderr", "-t", "-q")
        try:
            self.write(wanted)
            engine.do(*test, timeout=BEYOND)
            with ui.working("Announcing the gateway's other configuration"):
                self._announced(container)
        except BaseException:
            # Which of both nginx has by now is not known: the next one is to differ from this.
            self.write({**before, "local.conf": before["local.conf"].rstrip() + UNREAD})
            raise

    def _announced(self, container: Container) -> None:
        """Let clients move by themselves before the old worker processes close what is idle."""
        drain = self.project.flags / "drain"
        guarded.leave(drain, "", None)
        try:
            time.sleep(self.server.keep_alive + MARGIN)
            self._reload(container)
        finally:
            drain.unlink(missing_ok=True)

    def _reload(self, container: Container) -> None:
        """Let other workers take over, and wait until the old ones take nothing more.

        Without the flag they would keep connections meanwhile, and close them as they end.
        """
        engine, before = self.project.engine, self._workers(container)
        engine.do("kill", "--signal", "HUP", container.id, timeout=BEYOND)

        def replaced() -> bool | None:
            now = self._workers(container)
            return True if now and not now & before else None

        probe.until(replaced, what="other workers of the gateway", timeout=BEYOND)

    def _workers(self, container: Container) -> set[int]:
        """Return those of its processes that take connections."""
        found = containers.processes(self.project.engine, container)
        return {one.pid for one in found if one.command.strip() == WORKER}

    def ports(self) -> dict[str, str]:
        """Return its address and ports: those that it has, where it runs."""
        found, server = self.project.find("gateway"), self.server
        public, inner = (found.published(at) for at in (OUTER, INNER)) if found else ("", "")
        free = ports.free(server.host) if not server.port else server.port
        port = public.rpartition(":")[2] if public and not server.port else str(free)
        second = inner.rpartition(":")[2] or str(ports.free("127.0.0.1"))
        host = f"[{server.host}]" if ":" in server.host else server.host
        return {"HOST": host, "PORT": port, "INNER_PORT": second}

    def endpoints(self) -> Endpoints:
        """Return where it answers, if it runs."""
        found = self.project.find("gateway")
        if found is None or not found.runs:
            return Endpoints("")
        closed = (self.project.flags / "maintenance").exists()
        inner = f"http://{found.published(INNER)}"
        return Endpoints(addresses.url(found.published(OUTER)), inner, closed)

    def maintain(self, on: bool) -> None:
        """Let it answer for the app, or no longer.

        :raises MoorError: where it does not run: the flag would shut clients out of the next one.
        """
        if not self.endpoints().app:
            raise MoorError("no gateway runs", hint="./moor deploy docker")
        flag = self.project.flags / "maintenance"
        flag.touch() if on else flag.unlink(missing_ok=True)

    def drained(self, colour: str) -> None:
        """Wait until a colour that clients do not reach has taken what was sent to it."""
        # The gateway may have looked at the flag just before it moved.
        quiet = time.monotonic() + MARGIN
        try:
            probe.until(
                lambda: True if time.monotonic() > quiet and self.quiet(colour) else None,
                what="the old release to answer what waits for it",
                timeout=self.server.grace + MARGIN,
            )
        except NotReadyError as problem:
            # It had the time that a request may take: it hangs, and is to go all the same.
            ui.warn(f"{problem.fact}; it is stopped")

    def quiet(self, colour: str) -> bool:
        """Tell whether nobody waits for a colour: one that stops might leave them there."""
        found = self.project.find(colour)
        if found is None or not found.runs:
            return True
        said = self.project.engine.ask("exec", found.id, "cat", "/proc/net/tcp")
        # One that was not answered is asked again.
        return said.status == 0 and not any(map(_waits, said.output.splitlines()))


def _waits(line: str) -> bool:
    """Tell whether a line of /proc/net/tcp is of a listening socket with a queue.

    https://www.kernel.org/doc/Documentation/networking/proc_net_tcp.txt
    """
    words = line.split()
    return len(words) > 4 and words[3] == "0A" and int(words[4].partition(":")[2], 16) > 0
