"""Whether a cluster takes all objects of a release, asked before any of them is applied."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moorings import ui
from moorings.errors import MoorError
from moorings.services import kube_storage
from moorings.services.kubectl import Kubectl, Raw

#: Seconds for an empty namespace to go.
GOES = 120.0


@dataclass(frozen=True)
class Check:
    """Asks in the namespace of a deployment."""

    kubectl: Kubectl
    folder: Path
    """Where objects are written down before they are sent."""

    def takes(self, objects: Sequence[Raw]) -> None:
        """See that the cluster would take them.

        :raises NeedError: where it has no place for the data.
        :raises CommandError: naming the first that it would refuse; nothing is applied then.
        """
        kube_storage.require(self.kubectl, objects)
        spaces = [one for one in objects if one["kind"] == "Namespace"]
        rest = [one for one in objects if one["kind"] != "Namespace"]
        title = "Asking the cluster whether it takes the manifests"
        with ui.working(title), self._namespace(spaces):
            self.kubectl.would(rest, self.folder / "check.json")

    @contextmanager
    def _namespace(self, spaces: Sequence[Raw]) -> Iterator[None]:
        """Make the namespace, in which alone it can be asked; it goes again where that fails."""
        if self.kubectl.require("namespace", self.kubectl.namespace):
            if self.kubectl.may("patch", "namespaces"):
                self.kubectl.would(spaces, self.folder / "check.json")
            yield
            return
        self.kubectl.apply(spaces, self.folder / "namespace.json")
        try:
            yield
        except BaseException:
            self._go()
            raise

    def _go(self) -> None:
        words = ("delete", "namespace", self.kubectl.namespace, "--ignore-not-found")
        try:
            self.kubectl.do(*words, timeout=GOES)
        except MoorError as late:
            ui.warn(f"the namespace {self.kubectl.namespace} is still there: {late.fact}")
