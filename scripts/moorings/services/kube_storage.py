"""Where the volumes come from that manifests claim."""

from collections.abc import Iterator, Sequence

from moorings.errors import NeedError
from moorings.services.kubectl import Kubectl, Raw, at

DEFAULT = ("metadata", "annotations", "storageclass.kubernetes.io/is-default-class")

#: Where a claim names its class.
PLACE = (
    "storageClassName in volumeClaimTemplates of deploy/k8s/components/postgres/statefulset.yaml"
)


def require(kubectl: Kubectl, objects: Sequence[Raw]) -> None:
    """See that each claim without a volume gets one: by its class, or by a default one.

    :raises NeedError: naming the class that is not there, and the place that names it.
    """
    wanted = {cls for name, cls in _claims(objects) if not _bound(kubectl, name)}
    # Who may not look finds out from the claim itself.
    if not wanted or not kubectl.may("list", "storageclasses"):
        return
    found = kubectl.every("storageclasses")
    there = {str(at(one, "metadata", "name")) for one in found}
    default = {""} if any(at(one, *DEFAULT) == "true" for one in found) else set()
    for missing in sorted(wanted - there - default):
        what = f"StorageClass {missing}" if missing else "default StorageClass"
        have = f"it has {', '.join(sorted(there))}" if there else "it has none at all"
        first = "" if missing else "make one the default, or "
        raise NeedError(f"the cluster has no {what}; {have}", hint=f"{first}set {PLACE}")


def _claims(objects: Sequence[Raw]) -> Iterator[tuple[str, str]]:
    """Yield the claims, by the names that they get, with the class of each; empty: the default."""
    for one in objects:
        if one["kind"] == "PersistentVolumeClaim":
            yield at(one, "metadata", "name"), _class(one)
        for claim in at(one, "spec", "volumeClaimTemplates") or ():
            owner = at(one, "metadata", "name")
            yield f"{at(claim, 'metadata', 'name')}-{owner}-0", _class(claim)


def _class(claim: Raw) -> str:
    return str(at(claim, "spec", "storageClassName") or "")


def _bound(kubectl: Kubectl, claim: str) -> bool:
    found = kubectl.find("persistentvolumeclaim", claim)
    return bool(at(found, "status", "phase") == "Bound")
