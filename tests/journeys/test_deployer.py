"""A pipeline that has no right on a cluster but deploy/k8s/deployer."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.journeys.conftest import ROOT, Operator

from moorings import deployment
from moorings.services.kube_lease import Lease
from moorings.services.kubectl import Kubectl
from moorings.targets.k8s import K8s


@pytest.fixture
def kubectl(kubernetes: None, operator: Operator) -> Kubectl:
    """The administrator, in the namespace of this test's deployment."""
    made = deployment.open(ROOT, os.environ, {}, "k8s", looks_only=True).target
    assert isinstance(made, K8s)
    return made.kubectl.within(f"moorings-{operator.name}")


def _in_place_of(kubectl: Kubectl, file: Path) -> Kubectl:
    """Return the same cluster for the ServiceAccount of the role."""
    kubectl.within("").do("create", "namespace", kubectl.namespace)
    policy = "pod-security.kubernetes.io/enforce=restricted"
    kubectl.within("").do("label", "namespace", kubectl.namespace, policy)
    kubectl.do("apply", "--kustomize", str(ROOT / "deploy" / "k8s" / "deployer"))
    token = kubectl.ask("create", "token", "deployer").output.strip()
    view = kubectl.ask("config", "view", "--minify", "--flatten", "--raw", "--output", "json")
    raw = json.loads(view.output)
    raw["users"][0]["user"] = {"token": token}
    file.write_text(json.dumps(raw))
    return replace(kubectl, env={**kubectl.env, "KUBECONFIG": str(file)})


def test_the_role_is_enough_to_deploy_and_to_take_down(
    kubectl: Kubectl, operator: Operator, tmp_path: Path
) -> None:
    deployer = _in_place_of(kubectl, tmp_path / "kubeconfig")
    folder = Path(deployer.program).parent
    operator.env |= {"KUBECONFIG": deployer.env["KUBECONFIG"],
                     "PATH": f"{folder}:{os.environ['PATH']}"}  # fmt: skip
    try:
        _another_deploys(kubectl, operator, tmp_path)
        for verbs in (("deploy", "k8s"), ("down", "k8s")):
            done = operator.types(*verbs)
            assert done.returncode == 0, done.stderr
        for verb, kind in (("create", "roles"), ("list", "nodes"), ("create", "namespaces"),
                           ("patch", "namespaces")):  # fmt: skip
            assert not deployer.may(verb, kind), f"it may {verb} {kind}"
        assert not deployer.within("kube-system").may("get", "secrets")
    finally:
        kubectl.within("").do("delete", "namespace", kubectl.namespace, timeout=180)


def _another_deploys(kubectl: Kubectl, operator: Operator, folder: Path) -> None:
    """See that a deploy of another machine is waited for, and by whom it is."""
    with Lease(kubectl, folder).held("deploy of another"):
        done = operator.types("deploy", "k8s")
    assert done.returncode != 0
    assert "is being changed: deploy of another, by" in done.stderr
