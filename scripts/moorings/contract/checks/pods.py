"""pods.*: what clients notice where pods come and go that nobody deployed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from moorings import probe
from moorings.contract.checks.load import OTHER
from moorings.contract.column import Column
from moorings.contract.hammer import figure, loaded, unharmed
from moorings.contract.load import Load, running
from moorings.contract.load_plan import Group, Plan, below_400, in_turn
from moorings.contract.orders import undisturbed
from moorings.contract.outcome import Skipped, claim
from moorings.contract.registry import check
from moorings.contract.site import Site
from moorings.contract.size import BETWEEN, Size
from moorings.services.kube_fleet import Fleet
from moorings.services.kube_pods import APP_PORT
from moorings.target import Clustered

GATEWAY = "gateway"

#: Where the gateway has no business.
DATABASE = ("postgres", 5432)

#: A page of which a few hundred a second keep a processor busy.
COSTLY = "/api/products?per_page=100"

#: Seconds within which the autoscaler has decided: it looks each 15 s, at figures of as many, and
#: shrinks only what was idle for 15 s more. And within which a pod is ready.
SCALED, READY = 180.0, 90.0

#: A kubelet that starts takes containers that are no older than this many seconds for new ones,
#: which get nothing until their next probe: `kubeletRestartGracePeriod`, and a second more, as the
#: cluster tells whole ones. Before 1.35 it takes all of them for new.
REMEMBERED = 11.0

#: How often a drain asks again for what was held back.
TRIES = 3

#: What a pod of the standard `privileged` would have, and one of `restricted` may not.
PRIVILEGED = {"containers": [{"name": "app", "image": "none", "securityContext":
              {"privileged": True, "runAsUser": 0}}]}  # fmt: skip

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"


def _clustered(site: Site) -> Clustered:
    target = site.target
    assert isinstance(target, Clustered)
    return target


def _fleet(site: Site) -> Fleet:
    return _clustered(site).fleet()


@check(
    "pods.load",
    proves="scaled up and down, a pod and the gateway's own deleted, under load: 0 failed, and "
    "each order of that time exactly once",
    needs=["probe", "deploy", "pods"],
    control="pods without preStop",
)
def pods_load(column: Column) -> str:
    """Let pods of the app come and go, and the gateway's, again and again."""
    with _met(column) as (site, load, orders):
        fleet = _fleet(site)
        for _ in range(column.size.cycles // 2):
            _come_and_go(fleet, load, ("app", GATEWAY))
        return f"{figure(unharmed(load))}{orders()}"


@contextmanager
def _met(column: Column) -> Iterator[tuple[Site, Load, Callable[[], str]]]:
    """Lend a deployment under load, in which customers order too, and what ends their visit."""
    with (
        column.other() as site,
        undisturbed(column, site) as orders,
        loaded(site.url, column.size) as load,
    ):
        yield site, load, orders


def _come_and_go(fleet: Fleet, load: Load, names: tuple[str, ...]) -> None:
    count = len(fleet.ready())
    for wanted in (count + 1, count):
        fleet.scale(wanted)
        load.wait(BETWEEN)
    for name in names:
        fleet.end(fleet.ready(name)[0], name)
        load.wait(BETWEEN)


@check(
    "pods.direct",
    proves="the same, and deploys, for clients of the app's own NodePort, without the gateway",
    needs=["probe", "deploy", "pods"],
    control="pods without preStop",
)
def pods_direct(column: Column) -> str:
    """Let pods of the app come and go, with nobody before them who would ask again."""
    with column.other() as site:
        if _clustered(site).throwaway() is None:
            raise Skipped("only moor's own cluster: elsewhere NetworkPolicies may refuse it")
        fleet = _fleet(site)
        with fleet.exposed() as url:
            probe.http(f"{url}/healthz", what="the app at its NodePort", timeout=READY)
            with loaded(url, column.size) as load:
                for flags in (OTHER, {}) * (column.size.cycles // 4 or 1):
                    _come_and_go(fleet, load, ("app",))
                    site.deploy(flags, proof=False)
                return figure(unharmed(load))


@check(
    "pods.evict",
    proves="of two evictions at once one is held back by the PodDisruptionBudget; 0 failed, and "
    "each order of that time exactly once",
    needs=["probe", "deploy", "pods"],
    control="no PodDisruptionBudget",
)
def pods_evict(column: Column) -> str:
    """Ask for the end of both pods, as the drain of a node does, while they are under load."""
    with _met(column) as (site, load, orders):
        fleet = _fleet(site)
        pods = fleet.ready()
        claim(len(pods) > 1, f"{len(pods)} pods: the budget has nothing to hold back")
        refused = [pod for pod in pods if "disruption budget" in fleet.evict(pod)]
        claim(len(refused) == len(pods) - 1, f"{len(refused)} of {len(pods)} were held back")
        fleet.settle()
        return f"{len(refused)} of {len(pods)} held back, {figure(unharmed(load))}{orders()}"


@check(
    "pods.node",
    proves="the kubelet restarted, the node cordoned and drained: the PodDisruptionBudget holds "
    "the last pod back, and all are there after uncordon; 0 failed, each order exactly once",
    needs=["probe", "deploy", "pods"],
    control="no PodDisruptionBudget",
)
def pods_node(column: Column) -> str:
    """Let the node falter under load: only where it is a cluster of moor's own."""
    with _met(column) as (site, load, orders):
        cluster, fleet = _clustered(site).throwaway(), _fleet(site)
        if cluster is None:
            raise Skipped("the nodes of this cluster are not moor's to drain")
        count = len(fleet.ready())
        fleet.aged(REMEMBERED)
        cluster.restart("kubelet")
        load.wait(BETWEEN)
        fleet.has(count, READY)
        held = _drained(fleet, load)
        back = fleet.has(held + 1, READY)
        told = f"{figure(unharmed(load))}{orders()}"
        return f"{held} held back, all there {back:.0f} s later, {told}"


def _drained(fleet: Fleet, load: Load) -> int:
    """Ask for the end of each pod, as `kubectl drain` does, and again; return how many stayed."""
    with fleet.cordoned():
        pods = fleet.ready()
        claim(len(pods) > 1, f"{len(pods)} pods: the budget has nothing to hold back")
        for _ in range(TRIES):
            for pod in fleet.ready():
                fleet.evict(pod)
            load.wait(BETWEEN)
        left = fleet.ready()
        claim(len(left) == len(pods) - 1, f"{len(left)} of {len(pods)} pods were left by a drain")
        return len(left)


@check(
    "pods.autoscale",
    proves="under load the HorizontalPodAutoscaler adds a pod, and takes it away after it: "
    "0 failed",
    needs=["store", "probe", "deploy", "pods"],
    control="an autoscaler that sees no load",
)
def pods_autoscale(column: Column) -> str:
    """Keep one pod busier than its autoscaler wants, and then no longer."""
    with column.other({"k8s.replicas": 1, "k8s.most": 2}) as site:
        fleet = _fleet(site)
        with loaded(site.url, column.size) as load:
            with running(_busy(site.url, column.size)) as burst:
                more = fleet.has(2, SCALED)
                busy = unharmed(burst)
            less = fleet.has(1, SCALED)
            report = unharmed(load)
    both = f"{figure(report)}; of the burst {busy.summary()}"
    return f"a second pod after {more:.0f} s, gone {less:.0f} s after the burst; {both}"


def _busy(url: str, size: Size) -> Plan:
    """Ask for pages that cost time of a processor, as fast as they are answered."""
    groups = (Group("keep-alive", clients=6),)
    return Plan(url, ask=in_turn(COSTLY), groups=groups, requests=200_000, seconds=size.seconds,
                verdict=below_400)  # fmt: skip


@check(
    "secure.policy",
    proves="the namespace takes no pod beyond the standard `restricted`; no pod has a token; a "
    "connection that no NetworkPolicy allows is refused",
    needs=["pods"],
    control="a namespace without a policy",
)
def policy(column: Column) -> str:
    """Offer the cluster a pod that is root, look for tokens, and connect where nobody may."""
    fleet = _fleet(column.site)
    said = fleet.offer(PRIVILEGED)
    claim("violates PodSecurity" in said, f"a privileged pod was not refused: {said or 'taken'}")
    pods = fleet.mounts()
    claim(bool(pods), "there are no pods")
    holding = [pod for pod, points in pods.items() if TOKEN in points]
    claim(not holding, f"a token is in {', '.join(holding)}")
    _forbidden(column.site, fleet)
    apart = f"{GATEWAY} does not reach {DATABASE[0]}"
    return f"a privileged pod is refused; 0 of {len(pods)} pods have a token; {apart}"


def _forbidden(site: Site, fleet: Fleet) -> None:
    """Connect where there is an edge, to see that this can be told, and where there is none."""
    claim(fleet.reaches(GATEWAY, "app", APP_PORT), f"a pod of {GATEWAY} does not reach the app")
    host, port = DATABASE
    whose = "moor's own cluster" if _clustered(site).throwaway() else "this cluster"
    refused = not fleet.reaches(GATEWAY, host, port)
    fact = f"{GATEWAY} reaches {host}, which no NetworkPolicy allows"
    claim(refused, f"{fact}: the network of {whose} enforces none")
