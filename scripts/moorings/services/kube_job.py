"""A Job that is waited for: done, or failed, with what it said."""

from dataclasses import dataclass
from pathlib import Path

from moorings import probe, ui
from moorings.errors import CommandError, MoorError, NotReadyError
from moorings.services import kube_logs, kube_reasons
from moorings.services.kube_events import Refusals, Refused
from moorings.services.kubectl import Kubectl, Raw, at


@dataclass(frozen=True)
class Job:
    """One run of a command in an image of the app."""

    kubectl: Kubectl
    raw: Raw

    @property
    def name(self) -> str:
        """Its name, which is of its release."""
        return str(at(self.raw, "metadata", "name"))

    def run(self, file: Path, timeout: float) -> None:
        """Run it to its end; what is left of an earlier run goes first.

        :param timeout: seconds.
        :raises CommandError: with its log, where it fails.
        :raises NotReadyError: where it does not begin, or does not end.
        """
        self.remove()
        try:
            self.kubectl.apply([self.raw], file)
            if not self.kubectl.runner.dry:
                self._wait(timeout)
        except BaseException:
            self._stop()
            raise

    def _wait(self, timeout: float) -> None:
        refusals = Refusals(self.kubectl)
        refused: Refused | None = None

        def ended() -> bool | None:
            nonlocal refused
            found = self.kubectl.find("job", self.name) or {}
            refused = None if self._pods() else refusals.of(found)
            return False if refused else self._ended(found)

        try:
            done = probe.until(ended, what=f"job {self.name}", timeout=timeout, every=0.5,
                               last=self._why)  # fmt: skip
        except NotReadyError as late:
            late.log = self.log()
            raise
        if refused:
            raise CommandError(refused[0], hint=refused[1])
        if not done:
            log = self.log()
            raise CommandError(f"job {self.name} failed: {self._why()}", log=log)

    def _ended(self, found: Raw) -> bool | None:
        # `kubectl wait` for one condition waits out its time where the other one comes.
        conditions = at(found, "status", "conditions") or []
        states = {one.get("type") for one in conditions if one.get("status") == "True"}
        if "Complete" in states:
            return True
        return False if "Failed" in states or kube_reasons.hopeless(self._pods()) else None

    def _pods(self) -> list[Raw]:
        return self.kubectl.get("pods", "--selector", f"job-name={self.name}")

    def log(self) -> str:
        """Return what it said."""
        return kube_logs.of(self.kubectl, self._pods(), 200)

    def _why(self) -> str:
        why = kube_reasons.of_pods(self._pods(), self.log())
        if why:
            return why
        field = f"involvedObject.name={self.name}"
        return kube_reasons.of_events(self.kubectl.get("events", "--field-selector", field))

    def _stop(self) -> None:
        """Remove it, as it runs on where nobody waits for it: after Ctrl-C, or as late.

        Its end is not waited for, and a failure hides nothing of why.
        """
        try:
            # It goes after its pod: the next run waits for both.
            self.kubectl.do("delete", "job", self.name, "--ignore-not-found",
                            "--cascade=foreground", "--wait=false")  # fmt: skip
        except MoorError as late:
            ui.warn(f"job {self.name} may run on: {late.fact}")

    def remove(self) -> None:
        """Remove it with its pods; fine where there is none."""
        if self.kubectl.require("job", self.name):
            self.kubectl.do("delete", "job", self.name, "--ignore-not-found",
                            "--cascade=foreground")  # fmt: skip
