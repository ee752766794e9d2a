"""One change of a namespace at a time, whichever machine it comes from.

A Lease is how Kubernetes' own parts take turns:
https://kubernetes.io/docs/concepts/architecture/leases/
"""

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from moorings import users
from moorings.errors import CommandError, LockedError
from moorings.services.kubectl import Kubectl, Raw, at

NAME = "moorings"

#: Seconds for which a lease holds that nobody renews, and between two renewals.
HOLDS, RENEWED = 60, 15

#: What a Lease has for a time: https://kubernetes.io/docs/reference/kubernetes-api/ (MicroTime).
MICRO_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class Lease:
    """The lease of a deployment."""

    kubectl: Kubectl
    folder: Path
    """Where it is written down before it is sent."""

    @contextmanager
    def held(self, doing: str) -> Iterator[None]:
        """Hold it for the length of a block. Before the namespace is there, there is none.

        :param doing: what the holder does, for whoever finds it taken.
        :raises LockedError: naming the holder.
        :raises CommandError: where the cluster lets this user hold none.
        """
        if self.kubectl.find("namespace", self.kubectl.namespace) is None:
            yield
            return
        self._take(doing)
        over = threading.Event()
        thread = threading.Thread(target=self._renew, args=(over,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.kubectl.ask("delete", "lease", NAME, "--ignore-not-found")

    def _take(self, doing: str) -> None:
        said = self._send("create", _lease(doing))
        if "AlreadyExists" not in said:
            self._require(not said, said)
            return
        other = self.kubectl.find("lease", NAME)
        if other is not None and not _is_over(other):
            raise LockedError(
                f"this deployment is being changed: {at(other, 'spec', 'holderIdentity')}",
                hint=f"wait for it to end; a dead one's lease is over within {HOLDS} s",
            )
        # Whoever else has seen that too is refused: the cluster compares the versions.
        version = at(other, "metadata", "resourceVersion")
        said = self._send("replace" if other else "create", _lease(doing, version))
        self._require(not said, said)

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

    def _renew(self, over: threading.Event) -> None:
        while not over.wait(RENEWED):
            patch = json.dumps({"spec": {"renewTime": _now().strftime(MICRO_TIME)}})
            self.kubectl.ask("patch", "lease", NAME, "--type=merge", "--patch", patch)


def _now() -> datetime:
    return datetime.now(UTC)


def _lease(doing: str, version: str = "") -> Raw:
    now = _now().strftime(MICRO_TIME)
    holder = f"{doing}, by {users.operator()} on {socket.gethostname()} (process {os.getpid()})"
    metadata = {"name": NAME, **({"resourceVersion": version} if version else {})}
    spec = {"holderIdentity": f"{holder}, since {now[11:19]} UTC", "leaseDurationSeconds": HOLDS,
            "acquireTime": now, "renewTime": now}  # fmt: skip
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata,
            "spec": spec}  # fmt: skip


def _is_over(lease: Raw) -> bool:
    renewed = datetime.strptime(at(lease, "spec", "renewTime"), MICRO_TIME).replace(tzinfo=UTC)
    return _now() - renewed > timedelta(seconds=at(lease, "spec", "leaseDurationSeconds"))
