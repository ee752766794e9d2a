"""A pipeline that has no right on a cluster but deploy/k8s/deployer."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.journeys.conftest import ROOT, Operator

from moorings import deployment
from moorings.contract.checks.lifecycle import APPS
from moorings.services.kube_lease import Lease
from moorings.services.kubectl import Kubectl
from moorings.targets.k8s import K8s

#: One pod, and none that announces its end for longer than it must.
QUICK = {"MOOR_K8S_REPLICAS": "1", "MOOR_K8S_MOST": "1", "MOOR_SERVER_KEEP_ALIVE": "1",
         "MOOR_SERVER_BOOT_TIMEOUT": "30"}  # fmt: skip

FORBIDDEN = (
    ("create", "roles"), ("list", "nodes"), ("create", "namespaces"), ("patch", "namespaces"),
    # The data is the StatefulSet's.
    ("delete", "persistentvolumeclaims"), ("create", "persistentvolumeclaims"),
)  # fmt: skip


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


def test_the_role_is_enough_for_each_verb_and_for_no_more(
    kubectl: Kubectl, operator: Operator, tmp_path: Path
) -> None:
    deployer = _in_place_of(kubectl, tmp_path / "kubeconfig")
    folder = Path(deployer.program).parent
    operator.env |= {"KUBECONFIG": deployer.env["KUBECONFIG"],
                     "PATH": f"{folder}:{os.environ['PATH']}", **QUICK}  # fmt: skip
    try:
        _another_deploys(kubectl, operator, tmp_path)
        _goes_through(operator)
        for verb, kind in FORBIDDEN:
            assert not deployer.may(verb, kind), f"it may {verb} {kind}"
        assert not deployer.within("kube-system").may("get", "secrets")
    finally:
        kubectl.within("").do("delete", "namespace", kubectl.namespace, timeout=180)


def _goes_through(operator: Operator) -> None:
    """Type each verb that changes something, one of them with a release that must be undone."""
    first = _serves(_succeeds(operator, "deploy", "k8s"))
    refused = operator.types("deploy", "k8s", *_app("third_load", "broken:app"))
    assert refused.returncode != 0
    assert "may not be loaded a third time" in refused.stderr
    assert "forbidden" not in refused.stderr.lower()
    assert _serves(_succeeds(operator, "status", "k8s")) == first
    second = _serves(_succeeds(operator, "deploy", "k8s", *_app("second", "second:app")))
    assert second != first
    _succeeds(operator, "rollback", "k8s")
    assert _serves(_succeeds(operator, "status", "k8s")) == first
    _succeeds(operator, "reload", "k8s", "--set", "server.log_level=error")
    for state in ("on", "off"):
        _succeeds(operator, "maintenance", state, "k8s")
    _succeeds(operator, "down", "k8s")


def _app(name: str, callable_: str) -> list[str]:
    return ["--set", f"app.dir={APPS / name}", "--set", f"app.app={callable_}"]


def _succeeds(operator: Operator, *argv: str) -> str:
    done = operator.types(*argv)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _serves(said: str) -> str:
    """Return the release that a deploy or a status names."""
    found = re.search(r"release (\S+) (?:serves|at)", said)
    assert found, said
    return found[1]


def _another_deploys(kubectl: Kubectl, operator: Operator, folder: Path) -> None:
    """See that a deploy of another machine is waited for, and by whom it is."""
    with Lease(kubectl, folder).held("deploy of another"):
        done = operator.types("deploy", "k8s")
    assert done.returncode != 0
    assert "is being changed: deploy of another, by" in done.stderr
