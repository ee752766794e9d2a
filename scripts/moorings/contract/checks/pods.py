"""pods.*: what clients notice where pods come and go that nobody deployed."""

from moorings.contract.column import Column
from moorings.contract.hammer import figure, loaded, unharmed
from moorings.contract.load import Load
from moorings.contract.outcome import claim
from moorings.contract.registry import check
from moorings.contract.site import Site
from moorings.contract.size import BETWEEN
from moorings.services.kube_fleet import Fleet
from moorings.target import Clustered

GATEWAY = "gateway"

#: What a pod of the standard `privileged` would have, and one of `restricted` may not.
PRIVILEGED = {"containers": [{"name": "app", "image": "none", "securityContext":
              {"privileged": True, "runAsUser": 0}}]}  # fmt: skip

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"


def _fleet(site: Site) -> Fleet:
    target = site.target
    assert isinstance(target, Clustered)
    return target.fleet()


@check(
    "pods.load",
    proves="scaled up and down, a pod and the gateway's own deleted, under load: 0 failed",
    needs=["probe", "deploy", "pods"],
    control="pods without preStop",
)
def pods_load(column: Column) -> str:
    """Let pods of the app come and go, and the gateway's, again and again."""
    size = column.size
    with column.other() as site, loaded(site, size) as load:
        fleet = _fleet(site)
        for _ in range(size.cycles // 2):
            _come_and_go(fleet, load)
        return figure(unharmed(load))


def _come_and_go(fleet: Fleet, load: Load) -> None:
    count = len(fleet.ready())
    for wanted in (count + 1, count):
        fleet.scale(wanted)
        load.wait(BETWEEN)
    for name in ("app", GATEWAY):
        fleet.end(fleet.ready(name)[0], name)
        load.wait(BETWEEN)


@check(
    "pods.evict",
    proves="of two evictions at once one is held back by the PodDisruptionBudget; 0 failed",
    needs=["probe", "deploy", "pods"],
    control="no PodDisruptionBudget",
)
def pods_evict(column: Column) -> str:
    """Ask for the end of both pods, as the drain of a node does, while they are under load."""
    with column.other() as site, loaded(site, column.size) as load:
        fleet = _fleet(site)
        pods = fleet.ready()
        claim(len(pods) > 1, f"{len(pods)} pods: the budget has nothing to hold back")
        refused = [pod for pod in pods if "disruption budget" in fleet.evict(pod)]
        claim(len(refused) == len(pods) - 1, f"{len(refused)} of {len(pods)} were held back")
        fleet.settle()
        return f"{len(refused)} of {len(pods)} held back, {figure(unharmed(load))}"


@check(
    "secure.policy",
    proves="the namespace takes no pod beyond the standard `restricted`; no pod has a token",
    needs=["pods"],
    control="a namespace without a policy",
)
def policy(column: Column) -> str:
    """Offer the cluster a pod that is root, and look for tokens in those that run."""
    fleet = _fleet(column.site)
    said = fleet.offer(PRIVILEGED)
    claim("violates PodSecurity" in said, f"a privileged pod was not refused: {said or 'taken'}")
    pods = fleet.mounts()
    claim(bool(pods), "there are no pods")
    holding = [pod for pod, points in pods.items() if TOKEN in points]
    claim(not holding, f"a token is in {', '.join(holding)}")
    return f"a privileged pod is refused; 0 of {len(pods)} pods have a token"
