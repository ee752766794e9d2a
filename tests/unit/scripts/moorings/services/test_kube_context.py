"""Which cluster moor touches: one on this machine, or one that was named."""

import json

import pytest

from moorings import packages
from moorings.services import kube_context, kube_refusals
from moorings.services.kube_context import Context

pytestmark = pytest.mark.usefixtures("links")


@pytest.mark.parametrize(
    ("name", "server", "local"),
    [
        ("kind-kind", "https://127.0.0.1:34567", True),
        ("kind-kind", "https://[::1]:34567", True),
        ("k3d-shop", "https://0.0.0.0:6443", True),
        ("minikube", "https://192.168.49.2:8443", True),
        ("minikube", "https://127.0.0.1:32769", True),
        ("docker-desktop", "https://kubernetes.docker.internal:6443", True),
        ("moorings", "https://10.213.0.2:6443", True),
        # A name is soon given; its API is far away.
        ("kind-production", "https://8.8.8.8:6443", False),
        ("minikube", "https://cluster.example:443", False),
        ("production", "https://127.0.0.1:6443", False),
        ("kind-kind", "", False),
        # Or on a private address, as clusters of a company are.
        ("moorings-prod", "https://10.20.0.5:6443", False),
        ("kind-of-prod", "https://172.16.3.1:6443", False),
        ("k3d-staging", "https://192.168.1.10:6443", False),
        ("minikube", "https://192.168.1.10:8443", False),
        ("moorings", "https://10.20.0.5:6443", False),
        ("moorings", "https://10.213.0.6:6443", False),
        ("moorings-prod", "https://10.213.0.2:6443", False),
    ],
)
def test_a_local_cluster_has_a_known_name_and_is_on_this_machine(
    name: str, server: str, local: bool
) -> None:
    assert Context(name, server).local is local


def test_another_cluster_is_refused_with_the_line_that_names_it() -> None:
    need = kube_context.need(Context("shop", "https://cluster.example"), named=False)
    assert not need.there
    assert "context shop (https://cluster.example) is no local cluster" in need.what
    assert "MOOR_K8S_CONTEXT=shop" in need.how


def test_another_cluster_is_taken_where_it_was_named() -> None:
    assert kube_context.need(Context("shop", "https://cluster.example"), named=True).there


@pytest.mark.parametrize(
    ("program", "what"), [("/found", "kubectl knows no cluster"), ("", "kubectl is not installed")]
)
def test_no_cluster_has_a_next_step(
    monkeypatch: pytest.MonkeyPatch, program: str, what: str
) -> None:
    monkeypatch.setattr(packages, "find", lambda name: program)
    need = kube_context.need(None, named=False)
    assert (need.there, need.what) == (False, what)
    assert "./moor cluster up" in need.how


def test_the_context_is_read_from_kubectl() -> None:
    view = {
        "current-context": "moorings",
        "clusters": [{"name": "moorings", "cluster": {"server": "https://10.213.0.2:6443"}}],
    }
    found = kube_context.of_view(json.dumps(view))
    assert found == Context("moorings", "https://10.213.0.2:6443")
    assert kube_context.of_view("error: current-context must exist") is None


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("error: You must be logged in to the server (Unauthorized)", "are refused"),
        ("Unable to connect: x509: certificate has expired", "are refused"),
        ("dial tcp 127.0.0.1:6443: connect: connection refused", "does not answer"),
        ("Error from server (Forbidden): forbidden", "may not ask"),
    ],
)
def test_why_an_api_does_not_answer(said: str, what: str) -> None:
    fact, how = kube_refusals.silent(said, "shop")
    assert what in fact
    assert "context shop" in fact
    assert how


def test_the_current_context_has_no_name_to_be_told_by() -> None:
    fact, _ = kube_refusals.silent("Unauthorized", "")
    assert fact == "the credentials of the current context are refused"
