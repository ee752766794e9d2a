"""What an overlay of moor's says, and what a release is known by in a cluster."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests import rendered

from moorings.runner import LocalRunner
from moorings.services import kube_manifests
from moorings.services.kube_manifests import LAST, MARGIN, Manifests, Wanted, overlay
from moorings.services.kubectl import Kubectl, Raw, at, stream
from moorings.settings import Server
from moorings.target import Release

RELEASE = Release("4b6e64a8fc27-gunicorn", "4b6e64a8", "0123456789ab", {"A": "x y", "B": "'q'"})


def wanted() -> Wanted:
    images = {"NGINX_IMAGE": "moorings/nginx:1a", "BASE_IMAGE": "moorings/debian:2b"}
    return Wanted("moorings-a", RELEASE, "moorings/a:4b", images, Server(), replicas=2, most=4)


def patches() -> dict[str, Any]:
    found = [json.loads(one["patch"]) for one in overlay(wanted())["patches"]]
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


def test_a_pod_has_the_time_that_its_stop_takes() -> None:
    server = Server()
    needed = server.keep_alive + MARGIN + server.grace + LAST
    for name in ("Deployment/app", "Deployment/gateway"):
        spec = at(patches()[name], "spec", "template", "spec")
        assert spec["terminationGracePeriodSeconds"] >= needed
    hook = at(patches()["Deployment/gateway"], "spec", "template", "spec", "containers", 0,
              "lifecycle", "preStop", "exec", "command")  # fmt: skip
    assert hook[-1] == f"touch /run/gateway/drain && sleep {server.keep_alive + MARGIN}"


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


SECRETS = ("database_url", "secret_key", "migration_url", "postgres_password", "owner_password",
           "app_password")  # fmt: skip


@pytest.fixture
def manifests(tmp_path: Path) -> Manifests:
    """The copy of deploy/k8s that a release has."""
    if not rendered.kubectl():
        pytest.skip("there is no kubectl, which has kustomize in it")
    folder = tmp_path / "deploy"
    shutil.copytree(rendered.ROOT / "deploy", folder, ignore=shutil.ignore_patterns("secrets"))
    (tmp_path / "secrets").mkdir()
    for name in SECRETS:
        (tmp_path / "secrets" / name).write_text("x")
    kubectl = Kubectl(LocalRunner(), dict(os.environ), program=rendered.kubectl())
    return Manifests(kubectl, tmp_path, tmp_path / "secrets")


def written(manifests: Manifests, version: str) -> dict[str, Raw]:
    """Return what the overlay of a release comes to, by kind and name without its digest."""
    release = replace(RELEASE, version=version)
    manifests.write(replace(wanted(), release=release, image=f"moorings/a:{version}"))
    return {f"{one['kind']}/{one['metadata']['name'].removesuffix('-')}": one
            for one in rendered.objects(manifests.folder)}  # fmt: skip


def test_what_moor_applies_says_so(manifests: Manifests) -> None:
    found = written(manifests, "v1")
    assert rendered.unlabelled(list(found.values())) == []
    assert {rendered.common(one["metadata"]["labels"])["managed-by"] for one in found.values()} == {
        "moorings"
    }


def test_what_moor_adds_makes_nothing_anew(manifests: Manifests) -> None:
    found = rendered.templates(list(written(manifests, "v1").values()))
    assert {*rendered.FIXED} < found.keys()
    assert rendered.changed(found) == []


def versions(found: dict[str, Raw]) -> dict[str, str]:
    """Return the version that objects, and their pods, say that they have."""
    labels = {name: one["metadata"]["labels"] for name, one in found.items()}
    pods = rendered.templates(list(found.values()))
    said = {**labels, **{f"pods of {name}": one for name, one in pods.items()}}
    return {name: rendered.common(one)["version"] for name, one in said.items()
            if "version" in rendered.common(one)}  # fmt: skip


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
