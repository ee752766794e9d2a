"""The manifests on a real cluster: it takes them strictly, and twice the same changes nothing."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from tests.journeys import labels
from tests.journeys.conftest import ROOT

from moorings import deployment
from moorings.services.kube_manifests import Manifests, Wanted
from moorings.services.kubectl import Kubectl, Raw, at
from moorings.settings import Server
from moorings.target import Release
from moorings.targets.k8s import K8s

#: Whatever else is on the cluster has another one.
NAMESPACE = f"manifests-{os.getpid()}"

#: What the overlay `production` reads, with contents that lead nowhere.
FILES = ("database_url", "migration_url", "secret_key")


#: Overlays that are `dev` with a component more, after another one.
MORE = (
    ("lasting", "jaeger", "jaeger-badger"),
    ("ingress", "gateway", "ingress"),
    ("httproute", "gateway", "httproute"),
)


@pytest.fixture
def kubectl(kubernetes: None) -> Kubectl:
    made = deployment.open(ROOT, os.environ, {}, "k8s", looks_only=True).target
    assert isinstance(made, K8s)
    return made.kubectl.within("")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The manifests, with the files that are in no commit."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns("secrets"))
    overlays = tmp_path / "deploy" / "k8s" / "overlays"
    script = ROOT / "deploy" / "docker" / "secrets.sh"
    subprocess.run([script, overlays / "dev" / "secrets"], check=True, timeout=10)
    (overlays / "production" / "secrets").mkdir()
    for name in FILES:
        (overlays / "production" / "secrets" / name).write_text("nothing")
    collector = overlays / "production" / "secrets" / "collector.env"
    collector.write_text("OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.example:4318\n")
    for name in ("dev", "production"):
        _edit(overlays / name, r"^namespace: .*$", f"namespace: {NAMESPACE}")
    for name, line, more in MORE:
        shutil.copytree(overlays / "dev", overlays / name)
        _edit(overlays / name, rf"(.*/components/){line}$", rf"\1{line}\n\1{more}")
    return overlays


def _edit(overlay: Path, line: str, wanted: str) -> None:
    file = overlay / "kustomization.yaml"
    edited, count = re.subn(line, wanted, file.read_text(), flags=re.MULTILINE)
    assert count == 1, f"{file} has {count} lines like {line}"
    file.write_text(edited)


@pytest.fixture(params=["dev", "production", "lasting", "ingress"])
def overlay(request: pytest.FixtureRequest, copy: Path, kubectl: Kubectl) -> Iterator[Path]:
    """An overlay, and its namespace, which a dry run does not make."""
    kubectl.do("create", "namespace", NAMESPACE)
    kubectl.do("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    yield copy / request.param
    kubectl.do("delete", "namespace", NAMESPACE, timeout=180)


def test_a_cluster_takes_them_without_a_warning(overlay: Path, kubectl: Kubectl) -> None:
    strictly = ("--dry-run=server", "--validate=strict", "--warnings-as-errors")
    said = kubectl.do("apply", "--server-side", *strictly, "--kustomize", str(overlay))
    assert "deployment.apps/app serverside-applied (server dry run)" in said
    # Those of kustomize are none of the server's.
    assert "warning" not in said.lower()


@pytest.mark.parametrize("name", ["ingress", "httproute"])
def test_who_comes_from_outside_is_led_to_the_gateway(
    name: str, copy: Path, kubectl: Kubectl
) -> None:
    """The Gateway API is no part of Kubernetes: what is seen of a route is where it leads."""
    found = _built(kubectl, copy / name)
    (route,) = (one for one in found if one["kind"].lower() == name)
    (rule,) = route["spec"]["rules"]
    (service,) = (one["spec"] for one in found if one["kind"] == "Service"
                  and one["metadata"]["name"] == "gateway")  # fmt: skip
    (port,) = service["ports"]
    if name == "httproute":
        assert rule["backendRefs"] == [{"name": "gateway", "port": port["port"]}]
    else:
        backend = {"name": "gateway", "port": {"name": port["name"]}}
        assert [one["backend"]["service"] for one in rule["http"]["paths"]] == [backend]


@pytest.mark.parametrize("name", ["dev", "production", "lasting", "ingress", "httproute"])
def test_labels_say_what_is_which_and_make_nothing_anew(
    name: str, copy: Path, kubectl: Kubectl
) -> None:
    found = _built(kubectl, copy / name)
    assert labels.unlabelled(found) == []
    # A selector cannot be changed: with one label more, what runs could not be updated.
    assert set(labels.selectors(found)) == {"app.kubernetes.io/name", "kubernetes.io/metadata.name"}
    pods = labels.templates(found)
    for part in ("app", "gateway"):
        assert set(labels.common(pods[part])) == {"name", "component", "part-of"}
    assert labels.changed(pods) == []


def _built(kubectl: Kubectl, overlay: Path) -> list[Raw]:
    """Return what an overlay comes to, which kustomize says without a warning."""
    said = kubectl.ask("kustomize", str(overlay))
    assert said.status == 0, said.output
    assert "warning" not in said.output.lower()
    return list(yaml.safe_load_all(said.output))


def test_twice_the_same_changes_nothing(copy: Path, kubectl: Kubectl) -> None:
    place = str(copy / "dev")
    try:
        kubectl.do("create", "namespace", NAMESPACE)
        # It is about what the API keeps: pods that end would take a minute.
        kubectl.within(NAMESPACE).do("create", "quota", "none", "--hard=pods=0")
        kubectl.do("apply", "--server-side", "--kustomize", place)
        kubectl.do("apply", "--server-side", "--kustomize", place)
        said = kubectl.ask("diff", "--server-side", "--kustomize", place)
        assert (said.status, said.output) == (0, "")
        _a_changed_file_is_a_rollout(copy, kubectl.within(NAMESPACE))
    finally:
        kubectl.do("delete", "namespace", NAMESPACE, "--ignore-not-found", timeout=180)


def _a_changed_file_is_a_rollout(copy: Path, kubectl: Kubectl) -> None:
    """See that it is by the hash in the name of a ConfigMap alone.

    `moor reload` needs it for nothing: the pod template that it applies names its settings. So no
    control of reload.load can be red by it, and it is shown here, where people apply by hand.
    """
    env, base = copy.parent / "base" / "app.env", copy.parent / "base" / "kustomization.yaml"
    assert _rolls_out(kubectl, copy / "dev", env)
    hashed = base.read_text()
    assert hashed.count("immutable: true") == 1
    base.write_text(hashed.replace("immutable: true", "disableNameSuffixHash: true"))
    _apply(kubectl, copy / "dev")
    assert not _rolls_out(kubectl, copy / "dev", env)


def _rolls_out(kubectl: Kubectl, overlay: Path, edited: Path) -> bool:
    """Change what the app reads, apply it, and tell whether its pods are to be others."""
    before = _template(kubectl)
    edited.write_text(edited.read_text() + f"CHANGED_{time.monotonic_ns()}=1\n")
    _apply(kubectl, overlay)
    return _template(kubectl) != before


def _apply(kubectl: Kubectl, overlay: Path) -> None:
    """Apply an overlay once more, by the two steps of its page: a Job cannot be changed."""
    kubectl.do("delete", "job", "migration")
    kubectl.do("apply", "--server-side", "--kustomize", str(overlay))


def _template(kubectl: Kubectl) -> Raw:
    found = kubectl.find("deployment", "app")
    assert found is not None
    template: Raw = found["spec"]["template"]
    return template


def test_an_unknown_field_is_refused(copy: Path, kubectl: Kubectl) -> None:
    service = copy.parent / "base" / "service.yaml"
    service.write_text(service.read_text().replace("  ports:", "  prots: []\n  ports:"))
    said = kubectl.ask("apply", "--server-side", "--dry-run=server", "--kustomize",
                       str(copy / "dev"))  # fmt: skip
    assert said.status != 0
    assert "prots" in said.output


# ---- What moor makes of them for a release.


@pytest.fixture
def manifests(kubectl: Kubectl, copy: Path, tmp_path: Path) -> Manifests:
    """The copy of deploy/k8s that a release of moor's has."""
    shutil.copytree(copy / "dev" / "secrets", tmp_path / "secrets")
    return Manifests(kubectl, tmp_path, tmp_path / "secrets")


def written(manifests: Manifests, version: str) -> dict[str, Raw]:
    """Return what the overlay of a release comes to, by kind and name."""
    images = {"NGINX_IMAGE": "moorings/nginx:1a", "BASE_IMAGE": "moorings/debian:2b"}
    release = Release(version, "4b6e64a8", "0123456789ab", {"A": "x y"})
    wanted = Wanted(NAMESPACE, release, f"moorings/a:{version}", images, Server(), 2, 4)
    manifests.write(wanted)
    found = _built(manifests.kubectl, manifests.folder)
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in found}


def test_what_moor_applies_says_so(manifests: Manifests) -> None:
    found = written(manifests, "v1")
    assert labels.unlabelled(list(found.values())) == []
    assert {labels.common(one["metadata"]["labels"])["managed-by"] for one in found.values()} == {
        "moorings"
    }


def test_what_moor_adds_makes_nothing_anew(manifests: Manifests) -> None:
    found = labels.templates(list(written(manifests, "v1").values()))
    assert {*labels.FIXED} < found.keys()
    assert labels.changed(found) == []


def versions(found: dict[str, Raw]) -> dict[str, str]:
    """Return the version that objects, and their pods, say that they have."""
    own = {name: one["metadata"]["labels"] for name, one in found.items()}
    pods = labels.templates(list(found.values()))
    said = {**own, **{f"pods of {name}": one for name, one in pods.items()}}
    return {name: labels.common(one)["version"] for name, one in said.items()
            if "version" in labels.common(one)}  # fmt: skip


def test_what_is_of_a_release_alone_says_which(manifests: Manifests) -> None:
    found = versions(written(manifests, "v1"))
    (settings,) = (name for name in found if name.startswith("Secret/settings-"))
    # The Deployment's own labels would stay after an undo.
    assert found == {"pods of app": "v1", settings: "v1"}


def test_a_release_makes_no_pods_anew_but_those_of_the_app(manifests: Manifests) -> None:
    first, second = written(manifests, "v1"), written(manifests, "v2")
    other = {name for name in first
             if at(first[name], "spec") != at(second.get(name), "spec")}  # fmt: skip
    # The Job has another name with each release.
    assert other == {"Deployment/app", "Job/migration"}
