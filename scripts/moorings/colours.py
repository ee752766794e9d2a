"""The masters behind a gateway: two sockets, blue and green, and a flag that says which it asks.

On one shared socket the requests of a client's one connection would meet the old and the new
release in turn, as the gateway has a connection to the app for each. The flag moves all at once.
"""

import time
from pathlib import Path

import psutil

from moorings import probe, ui
from moorings.errors import NotReadyError
from moorings.live import MARGIN, Launch, Live, Part
from moorings.supervised import Master, Supervised
from moorings.target import Context, Instance, Release

NAMES = ("blue", "green")


def address(sockets: Path, name: str) -> str:
    """Return the address of one of them."""
    return f"unix:{sockets / name}.sock"


class Colours:
    """What `Live` is on one socket, on two."""

    def __init__(self, context: Context, sockets: Path, flags: Path) -> None:
        """Read nothing but the context.

        :param sockets: a folder for both; its path is short enough for an address.
        :param flags: the gateway's folder of flags.
        """
        self.context = context
        self.flag = flags / NAMES[1]
        self.both = {name: Live(context, address(sockets, name), part=Part(name)) for name in NAMES}

    @property
    def live(self) -> Live:
        """The one that the gateway asks."""
        return self.both[NAMES[self.flag.exists()]]

    @property
    def idle(self) -> Live:
        """The other one."""
        return self.both[NAMES[not self.flag.exists()]]

    @property
    def master(self) -> Master | None:
        """The one that clients are meant to reach, if it runs."""
        return self.live.master

    @property
    def supervised(self) -> Supervised:
        """The supervisor of the one that the gateway asks."""
        return self.live.supervised

    @property
    def log(self) -> Path:
        """The log of both."""
        return self.live.log

    def release(self) -> Release | None:
        """Return what clients reach."""
        return self.live.release()

    def address(self) -> str:
        """Return the address that the gateway asks."""
        return self.live.address()

    def has(self, address: str) -> bool:
        """Tell whether a socket is ours."""
        return any(one.has(address) for one in self.both.values())

    def switch(self, release: Release, launch: Launch) -> None:
        """Start a master on the idle socket; once all its workers serve, let the gateway ask it."""
        idle = self.idle
        # What a deploy that was killed left there.
        idle.stop()
        idle.switch(release, launch)
        if not self.context.runner.dry:
            self._move()

    def _move(self) -> None:
        self.flag.parent.mkdir(parents=True, exist_ok=True)
        if self.flag.exists():
            self.flag.unlink()
        else:
            self.flag.touch()

    def back(self) -> None:
        """Let the gateway ask the other one again, where that still serves."""
        if self.idle.master is not None:
            self._move()

    def retire_others(self) -> None:
        """Let the idle one answer what was sent to it, and end; nothing new comes to it."""
        if self.context.runner.dry:
            return
        idle = self.idle
        if idle.master is not None:
            with ui.working("Letting the old release answer"):
                self._wait_until_empty(idle)
        idle.stop()

    def _wait_until_empty(self, idle: Live) -> None:
        """Wait until nobody is in its queue: one that stops might leave them there."""
        # The gateway may have looked at the flag just before it moved.
        quiet = time.monotonic() + MARGIN

        def empty() -> bool | None:
            return True if not idle.supervised.waiting() and time.monotonic() > quiet else None

        grace = self.context.settings.server.grace
        try:
            probe.until(empty, what="the old release to answer what waits for it", timeout=grace)
        except NotReadyError as problem:
            # One that hangs never will; the new release serves, and this one is to end.
            ui.warn(problem.fact)

    def reload(self, release: Release, launch: Launch) -> None:
        """Put a master with changed settings on the idle socket, as a deploy does."""
        if self.master is None and not self.context.runner.dry:
            raise NotReadyError("the app ended before it could be reloaded", hint="./moor logs")
        self.switch(release, launch)
        self.retire_others()

    def stop(self, within: float | None = None) -> None:
        """End both, each within so many seconds."""
        for one in self.both.values():
            one.stop(within)

    def strays(self) -> list[psutil.Process]:
        """Return what runs where nothing is written down of it."""
        return [process for one in self.both.values() for process in one.strays()]

    def instances(self) -> list[Instance]:
        """Return the processes of the one that the gateway asks."""
        return self.live.instances()
