"""What the manifests have to keep, whoever changes them: as files, without a cluster."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.test_layout import ROOT

FOLDER = ROOT / "deploy" / "k8s"
FILES = sorted(file for file in FOLDER.rglob("*.yaml") if file.name != "kustomization.yaml")
WORKLOADS = ("Deployment", "StatefulSet", "Job")


def objects(file: Path) -> list[Any]:
    return list(yaml.safe_load_all(file.read_text()))


def pods() -> dict[str, Any]:
    """Return the spec of each pod that a whole manifest describes."""
    whole = [one for part in ("base", "components") for one in (FOLDER / part).rglob("*.yaml")]
    found = [one for file in whole for one in objects(file)]
    return {one["metadata"]["name"]: one["spec"]["template"]["spec"]
            for one in found if one["kind"] in WORKLOADS}  # fmt: skip


def settings() -> dict[str, str]:
    lines = (FOLDER / "base" / "app.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FOLDER)))
def test_a_file_has_one_kind_and_its_name(file: Path) -> None:
    kinds = {one["kind"].lower() for one in objects(file)}
    named = file.stem
    # A second patch of the same kind has the name of what it changes.
    assert kinds == {named} or named == objects(file)[0]["metadata"]["name"]


def test_pods_are_what_restricted_allows_and_more() -> None:
    for name, pod in pods().items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            own = container["securityContext"]
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert own["allowPrivilegeEscalation"] is False, name
            assert own["readOnlyRootFilesystem"] is True, name
            assert {"requests", "limits"} <= container["resources"].keys(), name
            assert not container["image"].endswith("latest"), name
            assert ":" in container["image"], name


def test_the_namespace_enforces_it() -> None:
    (namespace,) = objects(FOLDER / "base" / "namespace.yaml")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("file", ["base", "components/gateway"])
def test_a_new_pod_is_ready_before_an_old_one_goes(file: str) -> None:
    (found,) = objects(FOLDER / file / "deployment.yaml")
    strategy = found["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxUnavailable": 0, "maxSurge": 1}


def test_the_times_of_a_stop_lie_in_each_other() -> None:
    idle, running = int(settings()["KEEP_ALIVE"]), int(settings()["GRACEFUL_TIMEOUT"])
    app, gateway = pods()["app"], pods()["gateway"]
    assert app["terminationGracePeriodSeconds"] >= idle + 1 + running + 6
    (container,) = app["containers"]
    assert container["lifecycle"]["preStop"]["exec"]["command"] == [
        "sh", "-c", 'touch "$DRAIN_FILE" && sleep $((KEEP_ALIVE + 1))',
    ]  # fmt: skip
    announced = int(re.findall(r"sleep (\d+)", str(gateway["containers"][0]["lifecycle"]))[0])
    local = (FOLDER / "components" / "gateway" / "local.conf").read_text()
    assert announced > int(re.findall(r"keepalive_timeout (\d+)s;", local)[0])
    shutdown = int(re.findall(r"worker_shutdown_timeout (\d+)s", str(gateway))[0])
    assert gateway["terminationGracePeriodSeconds"] >= announced + shutdown


def test_the_autoscaler_alone_has_the_number_of_pods() -> None:
    (found,) = objects(FOLDER / "base" / "deployment.yaml")
    assert "replicas" not in found["spec"]


def test_each_probe_asks_what_it_is_for() -> None:
    (app,) = pods()["app"]["containers"]
    asked = {name: app[name]["httpGet"]["path"] for name in app if name.endswith("Probe")}
    # A database that is away is no reason to restart anything.
    assert asked == {
        "startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz",
    }  # fmt: skip


def test_every_edge_is_named_at_both_ends() -> None:
    """All is denied, so that one policy lets out what another one lets in."""
    found = [one for file in FOLDER.rglob("networkpolicy.yaml") for one in objects(file)]
    names = {one["metadata"]["name"] for one in found}
    assert "default-deny" in names
    for part in ("postgres", "jaeger", "app", "gateway"):
        assert f"to-{part}" in names
    assert {"from-app-to-postgres", "from-app-to-jaeger", "from-gateway-to-app"} <= names


@pytest.mark.parametrize("file", sorted(FOLDER.rglob("kustomization.yaml")), ids=str)
def test_what_is_generated_has_its_digest_in_its_name(file: Path) -> None:
    (found,) = objects(file)
    made = [*found.get("configMapGenerator", []), *found.get("secretGenerator", [])]
    options = [found.get("generatorOptions", {}), *(one.get("options", {}) for one in made)]
    assert not any(one.get("disableNameSuffixHash") for one in options)
    assert all({**options[0], **one.get("options", {})}["immutable"] for one in made)
