"""Workloads beside the app that outlive a deploy: made once, made anew only where that is meant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from moorings.services.kubectl import Kubectl, Raw, at, parsed

#: While it is made anew, clients get no answer; for Jaeger nobody waits.
COSTLY = "postgres"

WORKLOADS = ("StatefulSet", "Deployment")
POD = ("spec", "template")
IMAGE = (*POD, "spec", "containers", 0, "image")


@dataclass(frozen=True)
class Beside:
    """Compares what is there with what manifests say."""

    kubectl: Kubectl
    folder: Path
    """Where an object is written down before it is sent."""

    def but_running(self, objects: Sequence[Raw]) -> list[Raw]:
        """Leave out the workloads that are there: another manifest would end their pods.

        :raises CommandError: where the cluster does not say.
        """
        return [one for one in objects
                if one["kind"] not in WORKLOADS or self._now(one) is None]  # fmt: skip

    def changed(self, objects: Sequence[Raw]) -> Iterator[tuple[Raw, str]]:
        """Yield the workloads whose pods an apply would make anew, and why in words.

        :raises CommandError: where the cluster does not say.
        """
        for one in objects:
            now = self._now(one) if one["kind"] in WORKLOADS else None
            then = self._then(one) if now is not None else None
            if at(now, *POD) != at(then, *POD):
                yield one, _why(str(at(now, *IMAGE)), str(at(then, *IMAGE)))

    def _now(self, one: Raw) -> Raw | None:
        return self.kubectl.require(one["kind"].lower(), at(one, "metadata", "name"))

    def _then(self, one: Raw) -> Raw:
        """Return what the cluster itself would make of it, with all defaults."""
        said = parsed(self.kubectl.would([one], self.folder / "beside.json", "--output", "json"))
        return dict(at(said, "items", 0) or said)


def _why(now: str, then: str) -> str:
    return f"image {now} -> {then}" if now != then else "its manifest"
