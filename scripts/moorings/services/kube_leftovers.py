"""What a release leaves in a cluster: its Jobs, its settings, what nothing refers to any more."""

import json

from moorings import ui
from moorings.errors import CommandError
from moorings.services.kube_manifests import VERSION
from moorings.services.kubectl import Kubectl, at

#: What has a pod template, the revisions that an undo goes back to among them.
REFER = "deployments,replicasets,statefulsets,jobs,pods"

#: What has a digest of its content in its name, so that a change makes another one.
HASHED = "configmaps,secrets"


def remove(kubectl: Kubectl, version: str) -> None:
    """Remove what is of a release alone, then what only it referred to.

    What goes wrong is said, and left for the next time: the release itself is gone by then.
    """
    chosen = ("--selector", f"{VERSION}={version}", "--ignore-not-found")
    try:
        if kubectl.require("namespace", kubectl.namespace):
            kubectl.do("delete", "secret,job", *chosen)
            _sweep(kubectl)
    except CommandError as problem:
        ui.warn(f"not all of release {version} was removed from the cluster: {problem.fact}")


def _sweep(kubectl: Kubectl) -> None:
    ours = ("--selector", "app.kubernetes.io/part-of=moorings")
    # First what refers: what is made meanwhile is not seen below.
    used = json.dumps([at(one, "spec") for one in kubectl.every(REFER)])
    names = [
        f"{str(one['kind']).lower()}/{at(one, 'metadata', 'name')}"
        for one in kubectl.every(HASHED, *ours)
        if one.get("immutable") and f'"{at(one, "metadata", "name")}"' not in used
    ]
    if names:
        kubectl.do("delete", "--ignore-not-found", *names)
