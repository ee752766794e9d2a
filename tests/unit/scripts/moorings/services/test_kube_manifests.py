"""What an overlay of moor's says, and what a release is known by in a cluster."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from moorings.services import kube_manifests
from moorings.services.kube_manifests import LAST, MARGIN, Wanted, overlay
from moorings.services.kubectl import at, stream
from moorings.settings import Server
from moorings.target import Release

ROOT = Path(__file__).resolve().parents[5]
SERVER = Server()
RELEASE = Release("4b6e64a8fc27-gunicorn", "4b6e64a8", "0123456789ab", {"A": "x y", "B": "'q'"})


def wanted() -> Wanted:
    images = {"NGINX_IMAGE": "moorings/nginx:1a", "BASE_IMAGE": "moorings/debian:2b"}
    return Wanted("moorings-a", RELEASE, "moorings/a:4b", images, Server(), replicas=2, most=4)


def patches(server: Server = SERVER) -> dict[str, Any]:
    asked = overlay(replace(wanted(), server=server))
    found = [json.loads(one["patch"]) for one in asked["patches"]]
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in found}


def test_images_stand_in_for_the_public_ones() -> None:
    assert overlay(wanted())["images"] == [
        {"name": "moorings/shop", "newName": "moorings/a", "newTag": "4b"},
        {"name": "nginx", "newName": "moorings/nginx", "newTag": "1a"},
    ]


def test_the_environment_is_a_secret_as_it_may_hold_one() -> None:
    (made,) = overlay(wanted())["secretGenerator"]
    # kustomize takes the quotes of a value away.
    assert made["literals"] == ["A=x y", "B=\"'q'\""]
    assert made["options"]["immutable"] is True


def test_a_database_of_the_settings_is_that_of_the_migration_too() -> None:
    where = ("spec", "template", "spec", "containers", 0)
    assert "env" not in at(patches()["Job/migration"], *where)
    told = replace(wanted(), release=replace(RELEASE, env={"DATABASE_URL": "postgresql://u@h/n"}))
    found = [json.loads(one["patch"]) for one in overlay(told)["patches"]]
    (job,) = [one for one in found if one["kind"] == "Job"]
    assert at(job, *where)["env"] == [{"name": "DATABASE_URL_FILE", "value": ""}]


def test_a_pod_has_the_time_that_its_stop_takes() -> None:
    server = Server()
    needed = server.keep_alive + MARGIN + server.grace + LAST
    for name in ("Deployment/app", "Deployment/gateway"):
        spec = at(patches()[name], "spec", "template", "spec")
        assert spec["terminationGracePeriodSeconds"] >= needed
    hook = at(patches()["Deployment/gateway"], "spec", "template", "spec", "containers", 0,
              "lifecycle", "preStop", "exec", "command")  # fmt: skip
    assert hook[-1] == f"touch /run/gateway/drain && sleep {server.keep_alive + MARGIN}"


def test_a_pod_may_boot_as_long_as_the_settings_say_and_no_less_than_by_the_manifest() -> None:
    (base,) = yaml.safe_load_all((ROOT / "deploy/k8s/base/deployment.yaml").read_text())
    where = ("spec", "template", "spec", "containers", 0, "startupProbe")
    assert at(base, *where)["periodSeconds"] == 1
    for seconds, boots in ((30, 120), (60, 120), (300, 300)):
        app = patches(Server(boot_timeout=seconds))["Deployment/app"]
        assert at(app, *where) == {"failureThreshold": boots}
    assert at(base, *where)["failureThreshold"] == 120


def test_no_patch_sets_the_number_of_pods() -> None:
    assert "replicas" not in patches()["Deployment/app"]["spec"]
    assert at(patches()["HorizontalPodAutoscaler/app"], "spec", "minReplicas") == 2


def test_the_mark_of_a_release_is_no_longer_than_a_label() -> None:
    mark = kube_manifests.mark(Release("v" * 80, "", "0123456789ab"))
    assert len(mark) <= 63
    assert kube_manifests.mark(RELEASE) == "4b6e64a8fc27-gunicorn.0123456789ab"
    assert kube_manifests.mark(Release("4b6e64a8fc27-gunicorn", "")) == "4b6e64a8fc27-gunicorn"


def test_objects_come_one_after_another() -> None:
    said = 'Warning: old\n{"a": 1}\n{"b": {"c": 2}}\n'
    assert stream(said) == [{"a": 1}, {"b": {"c": 2}}]
