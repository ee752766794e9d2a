"""PostgreSQL of a namespace, past the app: its rows, its process, its restart."""

from dataclasses import dataclass

from moorings import probe
from moorings.errors import CommandError
from moorings.services import kube_pods
from moorings.services.compose_database import BETWEEN, ENDS
from moorings.services.kubectl import Kubectl, Raw

#: The only pod of its StatefulSet.
POD = "postgres-0"

#: Seconds within which it is ready again.
BACK = 120.0


@dataclass(frozen=True)
class KubeDatabase:
    """Asks the pod of PostgreSQL."""

    kubectl: Kubectl

    def rows(self, query: str) -> list[list[str]]:
        """Return what a query finds, by the role that may only read and write rows.

        :raises CommandError: with what PostgreSQL says.
        """
        said = self.kubectl.ask(
            "exec", POD, "--", "env", "PGOPTIONS=-c role=app", "psql", "--no-psqlrc",
            "--tuples-only", "--no-align", "--field-separator", BETWEEN,
            "--username", "postgres", "--dbname", "shop", "--command", query,
        )  # fmt: skip
        if said.status != 0:
            raise CommandError("PostgreSQL refuses a query", log=said.output)
        return [line.split(BETWEEN) for line in said.output.splitlines()]

    def process(self) -> int:
        """Return the first process of its container, by its number here; 0: it does not run."""
        found = kube_pods.instances([self._pod])
        return int(found[0].id) if found and found[0].id.isdecimal() else 0

    def restart(self) -> None:
        """Tell its pod to end, and wait until another one is ready on the same volume."""
        old = kube_pods.uid(self._pod)
        self.kubectl.do("delete", "pod", POD, "--wait=true", timeout=ENDS + BACK)

        def again() -> bool | None:
            pod = self._pod
            return True if kube_pods.uid(pod) != old and kube_pods.ready(pod) else None

        probe.until(again, what=f"{POD} to be ready again", timeout=BACK)

    @property
    def _pod(self) -> Raw:
        return self.kubectl.find("pod", POD) or {}
