"""The manifests on a real cluster: it takes them strictly, and twice the same changes nothing."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.journeys.conftest import ROOT

from moorings import deployment
from moorings.services.kubectl import Kubectl
from moorings.targets.k8s import K8s

#: Whatever else is on the cluster has another one.
NAMESPACE = f"manifests-{os.getpid()}"

#: What the overlay `production` reads, with contents that lead nowhere.
FILES = ("database_url", "migration_url", "secret_key")


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
    shutil.copytree(overlays / "dev", overlays / "lasting")
    _edit(overlays / "lasting", r"(.*/components/jaeger)$", r"\1\n\1-badger")
    return overlays


def _edit(overlay: Path, line: str, wanted: str) -> None:
    file = overlay / "kustomization.yaml"
    edited, count = re.subn(line, wanted, file.read_text(), flags=re.MULTILINE)
    assert count == 1, f"{file} has {count} lines like {line}"
    file.write_text(edited)


@pytest.fixture(params=["dev", "production", "lasting"])
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


def test_twice_the_same_changes_nothing(copy: Path, kubectl: Kubectl) -> None:
    place = str(copy / "dev")
    try:
        kubectl.do("apply", "--server-side", "--kustomize", place)
        kubectl.do("apply", "--server-side", "--kustomize", place)
        said = kubectl.ask("diff", "--server-side", "--kustomize", place)
        assert (said.status, said.output) == (0, "")
    finally:
        kubectl.do("delete", "namespace", NAMESPACE, "--ignore-not-found", timeout=180)


def test_an_unknown_field_is_refused(copy: Path, kubectl: Kubectl) -> None:
    service = copy.parent / "base" / "service.yaml"
    service.write_text(service.read_text().replace("  ports:", "  prots: []\n  ports:"))
    said = kubectl.ask("apply", "--server-side", "--dry-run=server", "--kustomize",
                       str(copy / "dev"))  # fmt: skip
    assert said.status != 0
    assert "prots" in said.output
