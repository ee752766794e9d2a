"""What the cluster notes of pods that it refuses to somebody who is to make them."""

from dataclasses import dataclass

from moorings.services import kube_refusals
from moorings.services.kubectl import Kubectl, Raw, at

Refused = tuple[str, str]


@dataclass
class Refusals:
    """Of the pods of one object, a Job or a StatefulSet, which do not say it themselves."""

    kubectl: Kubectl
    fresh: bool = True
    """Whether the object is a new one: of an older one, what was noted before means nothing."""
    _before: frozenset[str] | None = None

    def of(self, owner: Raw) -> Refused | None:
        """Return the fact and the next step of one that was noted meanwhile."""
        uid = str(at(owner, "metadata", "uid") or "")
        field = f"involvedObject.uid={uid},reason=FailedCreate"
        found = self.kubectl.get("events", "--field-selector", field) if uid else []
        # It is tried again and again, and each try changes what was noted.
        now = {str(at(one, "metadata", "resourceVersion")): one for one in found}
        if self._before is None:
            self._before = frozenset() if self.fresh else frozenset(now)
        new = [str(one.get("message")) for key, one in now.items() if key not in self._before]
        return next((why for said in new if (why := self._known(said))), None)

    def _known(self, said: str) -> Refused | None:
        return kube_refusals.of_pod(said, self.kubectl.namespace)
