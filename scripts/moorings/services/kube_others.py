"""What of somebody else's is in the namespace that a deployment would have."""

from moorings.errors import CommandError
from moorings.services.kubectl import Kubectl, Raw, at
from moorings.target import Need

#: What runs, as far as the role in deploy/k8s/deployer may look.
WORKLOADS = "deployments,statefulsets,jobs,pods"

#: How many are named.
SHOWN = 5


def found(kubectl: Kubectl) -> list[str]:
    """Return the workloads of others, by kind and name.

    :raises CommandError: where the cluster does not say.
    """
    return _of_others(kubectl.every(WORKLOADS))


def need(kubectl: Kubectl) -> Need:
    """Want a namespace that has something of moor's, or nothing of others'."""
    try:
        there = kubectl.every(WORKLOADS)
    except CommandError as silent:
        return Need(silent.fact, False, silent.hint)
    others = _of_others(there)
    if not others or any(_ours(one) for one in there):
        return Need(f"the namespace {kubectl.namespace}", True, "")
    what = f"the namespace {kubectl.namespace} has other things in it: {shown(others)}"
    return Need(what, False, "choose another name: MOOR_DEPLOYMENT_NAME=, or empty it")


def shown(others: list[str]) -> str:
    """Return the first of them in words."""
    more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
    return ", ".join(others[:SHOWN]) + more


def _of_others(there: list[Raw]) -> list[str]:
    # A pod of a Deployment goes and comes with it.
    alone = [one for one in there if not (_ours(one) or at(one, "metadata", "ownerReferences"))]
    return [f"{str(one['kind']).lower()} {at(one, 'metadata', 'name')}" for one in alone]


def _ours(one: Raw) -> bool:
    return bool(at(one, "metadata", "labels", "app.kubernetes.io/part-of") == "moorings")
