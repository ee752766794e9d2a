"""The secrets of a deployment that another machine has made: its database knows no others."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from moorings import guarded
from moorings.errors import CommandError, MoorError
from moorings.services.kubectl import Kubectl, Raw, at

#: What PostgreSQL was told when its data were made, and takes up no more after that.
PASSWORDS = ("postgres_password", "owner_password", "app_password")

#: All that deploy/docker/secrets.sh makes, where it is not there.
NAMES = (*PASSWORDS, "secret_key", "migration_url", "database_url")

#: The claim of the database, which outlives it.
CLAIM = "orders-postgres-0"

OURS = ("--selector", "app.kubernetes.io/part-of=moorings")


def adopt(kubectl: Kubectl, folder: Path) -> None:
    """Read those of the namespace into a folder that lacks them, where it has a database.

    :raises MoorError: where they cannot be had: with others the app would not reach its data.
    """
    if all((folder / name).exists() for name in PASSWORDS):
        return
    try:
        found = _found(kubectl)
    except CommandError as silent:
        raise _refused(kubectl, folder, silent.fact) from None
    if found is None:
        return
    if not found.keys() >= set(PASSWORDS):
        raise _refused(kubectl, folder, "no Secret there has them")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, value in found.items():
        guarded.leave(folder / name, value, None)


def _found(kubectl: Kubectl) -> Mapping[str, str] | None:
    """Return what the Secrets say that its workloads read; None where it has no database."""
    workloads = kubectl.every("jobs,deployments,statefulsets", *OURS)
    if not any(one["kind"] == "StatefulSet" for one in workloads):
        return {} if kubectl.require("persistentvolumeclaim", CLAIM) else None
    secrets = [kubectl.require("secret", name) for name in dict.fromkeys(_named(workloads))]
    return {name: base64.b64decode(value).decode()
            for one in secrets for name, value in (at(one, "data") or {}).items()
            if name in NAMES}  # fmt: skip


def _named(workloads: Sequence[Raw]) -> Iterator[str]:
    """Yield the Secrets that they mount, the newest last: Jobs may be of old releases."""

    def age(one: Raw) -> tuple[bool, str]:
        return one["kind"] != "Job", str(at(one, "metadata", "creationTimestamp"))

    for one in sorted(workloads, key=age):
        for volume in at(one, "spec", "template", "spec", "volumes") or ():
            name = at(volume, "secret", "secretName")
            if name:
                yield str(name)


def _refused(kubectl: Kubectl, folder: Path, why: str) -> MoorError:
    space = kubectl.namespace
    fact = f"the passwords of the database in {space} are not on this machine: {why}"
    hint = (f"copy k8s/secrets of the state folder that it was deployed from to {folder}, or be "
            "allowed to get secrets there, as by deploy/k8s/deployer; where they are lost "
            "./moor down k8s --volumes removes the data too")  # fmt: skip
    return MoorError(fact, hint=hint)
