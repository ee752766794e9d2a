"""What a cluster refuses, as Kubernetes 1.36 says it, in words of moor."""

import pytest

from moorings.errors import CommandError
from moorings.services import kube_refusals

QUOTA = (
    'Error from server (Forbidden): pods "candidate" is forbidden: exceeded quota: small, '
    "requested: limits.memory=1Gi,pods=1, used: limits.memory=3Gi,pods=6, "
    "limited: limits.memory=3Gi,pods=6"
)


@pytest.mark.parametrize(
    ("said", "fact"),
    [
        (QUOTA, "the quota small has no room: requested limits.memory=1Gi,pods=1, "
                "used limits.memory=3Gi,pods=6, limited limits.memory=3Gi,pods=6"),
        ('pods "a" is forbidden: failed quota: small: must specify limits.cpu for: app',
         "the quota small takes only pods that specify limits.cpu for: app"),
        ('pods "a" is forbidden: maximum cpu usage per Container is 500m, but limit is 1',
         "a LimitRange refuses a pod: maximum cpu usage per Container is 500m, but limit is 1"),
        ('pods "a" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
         "the namespace takes no such pod (Pod Security restricted:latest): runAsNonRoot != true"),
        ('admission webhook "policy.example" denied the request: no team is named',
         "the admission webhook policy.example refuses it: no team is named"),
        ("ValidatingAdmissionPolicy 'teams' with binding 'all' denied request: no team is named",
         "the admission policy teams refuses it: no team is named"),
        ('Internal error occurred: failed calling webhook "policy.example": connection refused',
         "the admission webhook policy.example does not answer, and nothing passes without it"),
    ],
)  # fmt: skip
def test_what_refuses_a_pod_is_named(said: str, fact: str) -> None:
    found = kube_refusals.of_pod(said, "shop")
    assert found is not None
    assert found[0] == fact
    assert found[1]


def test_the_next_step_is_in_the_namespace() -> None:
    found = kube_refusals.of_pod(QUOTA, "shop")
    assert found is not None
    assert found[1].startswith("kubectl --namespace shop describe quota;")


@pytest.mark.parametrize(
    "said",
    [
        # Both pass by themselves.
        'pods "a" is forbidden: error looking up service account shop/shop: not found',
        "Operation cannot be fulfilled on resourcequotas: the object has been modified",
    ],
)
def test_what_passes_by_itself_is_no_refusal(said: str) -> None:
    assert kube_refusals.of_pod(said, "shop") is None


@pytest.mark.parametrize(
    ("said", "fact"),
    [
        ("error: failed to create typed patch object (shop/app; /v1, Kind=Service): "
         ".spec.prots: field not declared in schema",
         "Service app cannot be used: .spec.prots: field not declared in schema"),
        ("error: failed to create typed patch object (shop/app; apps/v1, Kind=Deployment): "
         "errors:\n  .spec.a: field not declared in schema\n  .spec.b: no",
         "Deployment app cannot be used: errors: .spec.a: field not declared in schema"),
        ('error: error validating data: ValidationError(Service.spec): '
         'unknown field "prots" in io.k8s.api.core.v1.ServiceSpec; if you choose to ignore these '
         "errors, turn validation off with --validate=false",
         'the manifests cannot be used: Service.spec: unknown field "prots" in '
         "io.k8s.api.core.v1.ServiceSpec"),
        ('The Service "app" is invalid: spec.ports: Required value',
         "Service app cannot be used: spec.ports: Required value"),
        ('The Service "app" is invalid: \n* spec.ports[0].port: Invalid value: 0\n* more',
         "Service app cannot be used: * spec.ports[0].port: Invalid value: 0"),
        ('resource mapping not found for name: "app" namespace: "" from "app.json": no matches '
         'for kind "HTTPRoute" in version "gateway.networking.k8s.io/v1"',
         "the cluster knows no HTTPRoute of gateway.networking.k8s.io/v1"),
        ('services "app" is forbidden: User "deployer" cannot patch resource "services" in API '
         'group "" in the namespace "shop"', "deployer may not patch services here"),
        ("a line\nsomething new", "the cluster refuses it: something new"),
        ("", "`kubectl` ended with status 1"),
    ],
)  # fmt: skip
def test_what_is_not_applied_is_told_in_one_line(said: str, fact: str) -> None:
    ended = CommandError("`kubectl` ended with status 1", log=said)
    assert kube_refusals.explained(ended, "shop").fact.endswith(fact)
