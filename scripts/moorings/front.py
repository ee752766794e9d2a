"""What stands between clients and the masters of a target: nothing, or nginx."""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from moorings import addresses, service, ui, users
from moorings.colours import NAMES, Colours, address
from moorings.errors import MoorError, NotReadyError
from moorings.gateway import Gateway
from moorings.gateway_files import Behind
from moorings.live import Live
from moorings.releases import HostReleases
from moorings.target import Context, Endpoints, Instance, Need, Release

NGINX = "nginx"

#: What a release has of this repository, beyond its server's, by the kind of gateway.
PARTS = {"none": (), NGINX: (f"deploy/parts/{NGINX}",)}

#: The settings that a release without its gateway has: none that could be deployed.
UNREACHED = "no gateway"

#: Seconds that the app has at least once its gateway has drained: to send its last spans.
LEAST = 1.0

_CLOSES = "closes the port until the new release has booted: requests of that time fail"


def kind(context: Context, usual: str) -> str:
    """Return what stands before the app: as the settings say, or as it runs now.

    :param usual: where nothing runs.
    """
    if context.settings.gateway.kind:
        return context.settings.gateway.kind
    gateway = Gateway(context)
    colours = Colours(context, short(context.layout.home / "sockets"), gateway.flags)
    if gateway.url or colours.master is not None:
        return NGINX
    return "none" if Live(context).master is not None else usual


class Front:
    """The gateway of a target, where it is wanted; where not, one that still runs goes."""

    def __init__(
        self,
        context: Context,
        releases: HostReleases,
        kind: str,
        protocol: str,
    ) -> None:
        """Read nothing but the context.

        :param kind: nginx, or none.
        :param protocol: what its masters speak on a Unix socket: `http` or `uwsgi`.
        """
        self.context = context
        self.releases = releases
        self.protocol = protocol
        self.gateway = Gateway(context)
        self.wanted = kind == NGINX
        self.sockets = short(context.layout.home / "sockets")
        self.colours = Colours(context, self.sockets, self.gateway.flags)
        self.plain = Live(context)

    @property
    def hops(self) -> int:
        """How many proxies it is to the app."""
        return int(self.wanted)

    @property
    def masters(self) -> Live | Colours:
        """The app's, on sockets that suit what is before them."""
        return self.colours if self.wanted else self.plain

    def needs(self) -> list[Need]:
        """Want nginx where it is wanted."""
        return self.gateway.needs() if self.wanted else []

    def has(self, address: str) -> bool:
        """Tell whether an address is that of what runs: a gateway may come, or go."""
        return self.gateway.live.has(address) or self.plain.has(address)

    def address(self) -> str:
        """Return where clients come."""
        return (self.gateway.live if self.wanted else self.plain).address()

    def prepare(self, release: Release) -> None:
        """See that it could serve a release, before anything is touched."""
        if not self.wanted:
            if self.gateway.url or self.colours.master is not None:
                ui.warn(f"taking nginx away {_CLOSES}")
                self.gateway.down()
                self.colours.stop()
            return
        if not self.context.runner.dry:
            _own_folder(self.sockets, self.context)
        self.gateway.check(self._behind(release))
        # One address can have one of them: what served without a gateway leaves it.
        if self.plain.master is not None:
            ui.warn(f"putting nginx before the app {_CLOSES}")
            self.plain.stop()

    def put(self, release: Release, undo: Callable[[], None]) -> None:
        """Let clients reach a release that serves.

        :param undo: ends the release again where nobody could reach it before either; where the
            one before was reached, it is again.
        """
        if not self.wanted:
            return
        reached = bool(self.gateway.url)
        try:
            self.gateway.point(self._static(release))
            self.gateway.put(self._behind(release))
        except BaseException:
            if reached:
                self.colours.back()
            else:
                undo()
            raise

    def reload(self, release: Release) -> None:
        """Take changed settings of the gateway in."""
        if self.wanted:
            self.gateway.put(self._behind(release))

    def require_same(self) -> None:
        """See that the gateway is where the settings want it.

        :raises NotReadyError: where it comes or goes, which takes a deploy.
        """
        if bool(self.gateway.url) != self.wanted:
            what = "a gateway where none is" if self.wanted else "no gateway where one is"
            raise NotReadyError(f"the settings want {what}", hint="./moor deploy")

    def _behind(self, release: Release) -> Behind:
        blue, green = (address(self.sockets, name) for name in NAMES)
        return Behind(
            files=self.releases.folder(release) / "deploy" / "parts" / NGINX,
            colours=(blue, green),
            protocol=self.protocol,
            public=self.gateway.public,
            flags=self.gateway.flags,
        )

    def _static(self, release: Release) -> Path:
        """Return the folder with the `static` of an app: beside its module, or at its top."""
        code, settings = self.releases.folder(release), self.context.settings
        if service.is_sample(settings):
            return code / "service" / "store"
        module = Path(*settings.app.app.partition(":")[0].split("."))
        places = [code / "app" / module, code / "app" / module.parent]
        return next((one for one in places if (one / "static").is_dir()), code / "app")

    def seen(self, release: Release | None) -> Release | None:
        """Return what clients reach, of what serves."""
        if release is None or not self.wanted or self.gateway.url:
            return release
        return replace(release, settings=UNREACHED)

    def endpoints(self, app: str) -> Endpoints:
        """Return where clients and operators reach it."""
        if not (self.wanted and app):
            return Endpoints(app)
        return Endpoints(self.gateway.url, self.gateway.inner, self.gateway.maintained)

    def instances(self) -> list[Instance]:
        """Return its processes."""
        return self.gateway.instances()

    def logs(self, lines: int) -> str:
        """Return its newest lines."""
        return self.gateway.logs(lines)

    def maintain(self, on: bool) -> None:
        """Answer clients 503, or no longer.

        :raises MoorError: where there is no gateway that could.
        """
        if not self.gateway.url:
            raise MoorError("no gateway runs, and the app has no such mode",
                            hint="./moor deploy --gateway nginx")  # fmt: skip
        self.gateway.maintain(on)

    def down(self) -> float | None:
        """Take it away, before the app.

        :returns: the seconds of the grace period that are left to the app, whose clients are gone
            now; None where no gateway ran.
        """
        began, ran = time.monotonic(), bool(self.gateway.url)
        self.gateway.down()
        left = self.context.settings.server.grace - (time.monotonic() - began)
        return max(LEAST, left) if ran else None

    def clear(self) -> None:
        """Remove what is left of the app's sockets."""
        for folder in (self.sockets, *(one.home for one in self.colours.both.values())):
            self.context.runner.remove(folder)


def _own_folder(folder: Path, context: Context) -> None:
    """Make the folder of a socket; in one that all may write to, see that nobody else did."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    theirs = {os.geteuid(), context.user.uid if context.user else os.geteuid()}
    if folder.is_symlink() or folder.stat().st_uid not in theirs:
        raise MoorError(f"{folder} belongs to somebody else", hint="look at it, and remove it")


def short(folder: Path) -> Path:
    """Return a folder for sockets: this one, or another where its path does not fit an address."""
    if all(len(os.fsencode(folder / f"{name}.sock")) <= addresses.LONGEST for name in NAMES):
        return folder
    mark = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    place = Path("/run") if users.is_root() else Path(tempfile.gettempdir())
    return place / f"moorings-{mark}"
