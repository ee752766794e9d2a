"""A release that was started but is not yet reachable: a throwaway master on a private port."""

from pathlib import Path

from moorings import interrupts, live, masters, ports
from moorings.errors import NotReadyError
from moorings.live import PATIENCE, Launch
from moorings.masters import Master, Masters
from moorings.target import Context, Release


class Candidate:
    """The one candidate that a deployment has at a time."""

    def __init__(self, context: Context) -> None:
        """Read nothing but the context."""
        self.context = context
        self.masters = Masters(context.layout.home / "masters.json")
        self.log = context.layout.logs / "candidate.log"
        self._booted: set[str] = set()

    def start(self, release: Release, launch: Launch) -> None:
        """Start it in place of the one before."""
        self.stop()
        if not self.context.runner.dry:
            self.log.unlink(missing_ok=True)
        self._booted = set()
        folder = live.run_folder(self.context, "candidate")
        bind = f"127.0.0.1:{ports.free('127.0.0.1')}"
        with interrupts.held():
            pid = self.context.runner.start(
                launch.argv,
                cwd=launch.cwd,
                env={**launch.env, **live.run_environment(folder), "BIND": bind},
                log=self.log,
                user=self.context.user,
            )
            if not self.context.runner.dry:
                self.masters.put("candidate", Master.of(pid, bind, folder, release))

    def url(self, release: Release) -> str:
        """Return where it answers.

        :raises NotReadyError: where it has ended.
        """
        master = self.masters.get("candidate")
        if master is None:
            raise NotReadyError(f"release {release.version} ended while it booted")
        return f"http://{master.bind}"

    def alive(self) -> bool:
        """Tell whether it runs, and each of its workers that has booted."""
        master = self.masters.get("candidate")
        if master is None:
            return False
        # The master puts another in the place of a worker that dies: it would seem to live on.
        workers = live.ready(Path(master.folder))
        died = self._booted - workers
        self._booted |= workers
        return not died

    def stop(self) -> None:
        """End it, and remove what its run left; fine where there is none."""
        if self.context.runner.dry:
            return
        master = self.masters.get("candidate")
        if master is not None:
            masters.stop(master, self.context.settings.server.grace + PATIENCE)
            self.masters.put("candidate", None)
        self.context.runner.remove(self.context.layout.run / "candidate")

    def forget(self) -> None:
        """Remove the record of it."""
        if not self.context.runner.dry:
            self.masters.file.unlink(missing_ok=True)
