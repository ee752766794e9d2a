"""One change of a namespace at a time, whichever machine it comes from.

A Lease is how Kubernetes' own parts take turns:
https://kubernetes.io/docs/concepts/architecture/leases/
"""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from moorings import ui, users
from moorings.errors import CommandError, LockedError
from moorings.probe import Clock
from moorings.services.kubectl import Kubectl, Raw, at

NAME = "moorings"

#: Seconds for which a lease holds that nobody renews, and between two renewals.
HOLDS, RENEWED = 60, 15

#: Seconds for which one that looks over is watched; longer than between two renewals.
WATCHED = 20.0

#: Where a Lease says who has it, and when that was last so.
HOLDER, RENEWAL = ("spec", "holderIdentity"), ("spec", "renewTime")

#: What a Lease has for a time: https://kubernetes.io/docs/reference/kubernetes-api/ (MicroTime).
MICRO_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class Lease:
    """The lease of a deployment."""

    kubectl: Kubectl
    folder: Path
    """Where it is written down before it is sent."""
    clock: Clock = time

    @contextmanager
    def held(self, doing: str) -> Iterator[None]:
        """Hold it for the length of a block. Before the namespace is there, there is none.

        :param doing: what the holder does, for whoever finds it taken.
        :raises LockedError: naming the holder.
        :raises CommandError: where the cluster lets this user hold none.
        """
        if self.kubectl.require("namespace", self.kubectl.namespace) is None:
            yield
            return
        holder = _holder(doing)
        self._take(holder)
        over = threading.Event()
        thread = threading.Thread(target=self._renew, args=(holder, over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self._release(holder)

    def _take(self, holder: str) -> None:
        said = self._send("create", _lease(holder))
        if "AlreadyExists" not in said:
            self._require(not said, said)
            return
        other = self.kubectl.require("lease", NAME)
        if other is not None and not (_is_over(other) and self._rests(other)):
            raise LockedError(
                f"this deployment is being changed: {at(other, *HOLDER)}",
                hint=f"wait for it to end; a dead one's lease is over within {HOLDS} s",
            )
        # Whoever else has seen that too is refused: the cluster compares the versions.
        version = at(other, "metadata", "resourceVersion")
        said = self._send("replace" if other else "create", _lease(holder, version))
        self._require(not said, said)

    def _rests(self, other: Raw) -> bool:
        """Watch whether nobody renews a lease that looks over: its holder's clock may be late."""
        before, until = at(other, *RENEWAL), self.clock.monotonic() + WATCHED
        with ui.working(f"Seeing whether it still goes on: {at(other, *HOLDER)}"):
            while self.clock.monotonic() < until:
                if at(self.kubectl.find("lease", NAME), *RENEWAL) not in (before, None):
                    return False
                self.clock.sleep(1)
        return True

    def _require(self, taken: bool, said: str) -> None:
        if not taken:
            hint = "deploy/k8s/deployer has what a deploy needs"
            raise CommandError(f"no lease on {self.kubectl.namespace}", log=said, hint=hint)

    def _send(self, verb: str, lease: Raw) -> str:
        """Send it; return why the cluster refused it, else nothing."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.folder / "lease.json"
        file.write_text(json.dumps(lease))
        said = self.kubectl.ask(verb, "--filename", str(file))
        return said.output.strip() if said.status != 0 else ""

    def _renew(self, holder: str, over: threading.Event) -> None:
        while not over.wait(RENEWED):
            # Only its own: a machine that slept may find that another one has taken over.
            patch = [{"op": "test", "path": "/" + "/".join(HOLDER), "value": holder},
                     {"op": "replace", "path": "/" + "/".join(RENEWAL),
                      "value": _now().strftime(MICRO_TIME)}]  # fmt: skip
            words = ("--type=json", "--patch", json.dumps(patch))
            self.kubectl.ask("patch", "lease", NAME, *words)

    def _release(self, holder: str) -> None:
        now = at(self.kubectl.find("lease", NAME), *HOLDER)
        if now == holder:
            self.kubectl.ask("delete", "lease", NAME, "--ignore-not-found")
        elif now:
            ui.warn(f"this deployment was changed meanwhile, as this machine slept: {now}")


def _now() -> datetime:
    return datetime.now(UTC)


def _holder(doing: str) -> str:
    who = f"{users.operator()} on {socket.gethostname()} (process {os.getpid()})"
    return f"{doing}, by {who}, since {_now():%H:%M:%S} UTC"


def _lease(holder: str, version: str = "") -> Raw:
    now = _now().strftime(MICRO_TIME)
    metadata = {"name": NAME, **({"resourceVersion": version} if version else {})}
    spec = {"holderIdentity": holder, "leaseDurationSeconds": HOLDS,
            "acquireTime": now, "renewTime": now}  # fmt: skip
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata,
            "spec": spec}  # fmt: skip


def _is_over(lease: Raw) -> bool:
    renewed = datetime.strptime(at(lease, *RENEWAL), MICRO_TIME).replace(tzinfo=UTC)
    return _now() - renewed > timedelta(seconds=at(lease, "spec", "leaseDurationSeconds"))
