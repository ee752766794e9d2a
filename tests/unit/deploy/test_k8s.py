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

#: What runs the app, and asks the same of others: a release that is proved has a pod of its own.
APPS = ("app", "migration", "candidate")


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
    app = pods()["app"]
    assert app["terminationGracePeriodSeconds"] >= idle + 1 + running + 6
    (container,) = app["containers"]
    assert container["lifecycle"]["preStop"]["exec"]["command"] == [
        "sh", "-c", 'touch "$DRAIN_FILE" && sleep $((KEEP_ALIVE + 1))',
    ]  # fmt: skip


def test_the_gateway_has_the_numbers_of_app_env() -> None:
    """nginx reads no environment, so that they stand there once more."""
    idle, running = int(settings()["KEEP_ALIVE"]), int(settings()["GRACEFUL_TIMEOUT"])
    gateway = pods()["gateway"]
    (container,) = gateway["containers"]
    local = (FOLDER / "components" / "gateway" / "local.conf").read_text()
    assert re.findall(r"keepalive_timeout (\d+)s;", local) == [str(idle)]
    assert container["lifecycle"]["preStop"]["exec"]["command"] == [
        "sh", "-c", f"touch /run/gateway/drain && sleep {idle + 1}",
    ]  # fmt: skip
    assert f"worker_shutdown_timeout {running}s;" in container["command"][-1]
    own, apps = (one["terminationGracePeriodSeconds"] for one in (gateway, pods()["app"]))
    assert own == apps


def test_the_autoscaler_alone_has_the_number_of_pods() -> None:
    (found,) = objects(FOLDER / "base" / "deployment.yaml")
    assert "replicas" not in found["spec"]


def test_production_has_three_pods_on_machines_apart_behind_a_load_balancer() -> None:
    overlay = FOLDER / "overlays" / "production"
    (autoscaler,) = objects(overlay / "horizontalpodautoscaler.yaml")
    assert autoscaler["spec"]["minReplicas"] == 3
    (service,) = objects(overlay / "service.yaml")
    assert service["spec"]["type"] == "LoadBalancer"
    for file in ("deployment.yaml", "gateway.yaml"):
        (found,) = objects(overlay / file)
        (spread,) = found["spec"]["template"]["spec"]["topologySpreadConstraints"]
        name = found["metadata"]["name"]
        assert spread["labelSelector"] == {"matchLabels": {"app.kubernetes.io/name": name}}
        assert (spread["topologyKey"], spread["maxSkew"]) == ("kubernetes.io/hostname", 1)


def test_each_probe_asks_what_it_is_for() -> None:
    (app,) = pods()["app"]["containers"]
    asked = {name: app[name]["httpGet"]["path"] for name in app if name.endswith("Probe")}
    # A database that is away is no reason to restart anything.
    assert asked == {
        "startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz",
    }  # fmt: skip


#: Who asks whom, by the port of the pod.
EDGES = {
    ("gateway", "app", "TCP 8000"),
    *((one, "postgres", "TCP 5432") for one in APPS),
    *((one, "jaeger", f"TCP {port}") for one in APPS for port in (4317, 4318)),
}

#: What only one end can say: clients from outside, and names that are looked up.
INTO = {("*", "gateway", "TCP 8080")}
OUT_OF = {("*", "kube-system", "UDP 53"), ("*", "kube-system", "TCP 53")}
OUT_OF_PRODUCTION = {(one, "*", f"TCP {port}") for one in APPS for port in (5432, 4318, 443)}


def policies(*folders: str) -> list[Any]:
    files = [file for folder in folders for file in (FOLDER / folder).rglob("networkpolicy.yaml")]
    return [one for file in files for one in objects(file)]


def selected(selector: Any) -> list[str]:
    """Return the pods that a selector means, by their name; all others are refused here."""
    found = [*selector.get("matchLabels", {}).values()]
    for one in selector.get("matchExpressions", ()):
        assert (one["key"], one["operator"]) == ("app.kubernetes.io/name", "In")
        found += one["values"]
    return found or ["*"]


def peers(rule: Any, side: str) -> list[str]:
    """Return whom a rule means: pods, else the namespace; a rule without any means everybody."""
    chosen = [one.get("podSelector", one.get("namespaceSelector")) for one in rule.get(side, [{}])]
    return [name for one in chosen for name in selected(one or {})]


def edges(policies: list[Any], kind: str, side: str) -> set[tuple[str, str, str]]:
    """Return what policies let in, or out, as (from, to, port)."""
    found = set()
    for policy in (one["spec"] for one in policies if kind in one["spec"]["policyTypes"]):
        for rule in policy.get(kind.lower(), ()):
            for own in selected(policy["podSelector"]):
                for peer in peers(rule, side):
                    ends = (own, peer) if kind == "Egress" else (peer, own)
                    # Without `ports` a rule would mean every port: it is not there to be read.
                    found |= {(*ends, f"{one['protocol']} {one['port']}") for one in rule["ports"]}
    return found


def test_all_is_denied_but_the_edges_that_are_named_at_both_ends() -> None:
    found = policies("base", "components")
    (deny,) = (one["spec"] for one in found if one["metadata"]["name"] == "default-deny")
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert edges(found, "Ingress", "from") == EDGES | INTO
    assert edges(found, "Egress", "to") == EDGES | OUT_OF


def test_an_overlay_opens_no_more_than_it_says() -> None:
    assert policies("overlays/dev") == []
    opened = policies("overlays/production")
    assert edges(opened, "Ingress", "from") == set()
    assert edges(opened, "Egress", "to") == OUT_OF_PRODUCTION


@pytest.mark.parametrize(
    "file", sorted(FOLDER.parent.rglob("kustomization.yaml")),
    ids=lambda file: str(file.parent.relative_to(FOLDER.parent)),
)  # fmt: skip
def test_what_is_generated_has_its_digest_in_its_name(file: Path) -> None:
    (found,) = objects(file)
    made = [*found.get("configMapGenerator", []), *found.get("secretGenerator", [])]
    options = [found.get("generatorOptions", {}), *(one.get("options", {}) for one in made)]
    assert not any(one.get("disableNameSuffixHash") for one in options)
    assert all({**options[0], **one.get("options", {})}["immutable"] for one in made)


def test_who_runs_moor_down_is_not_removed_by_it() -> None:
    """By `part-of` it removes what a deployment has in its namespace, accounts too."""
    said = [str(objects(file)) for file in (FOLDER / "deployer").glob("*.yaml")]
    assert len(said) == 4
    assert not any("part-of" in one for one in said)
