"""deploy.renewed: what clients notice where a deploy makes anew what outlives others."""

import time
from dataclasses import replace
from pathlib import Path

from moorings.contract import wire
from moorings.contract.column import Column
from moorings.contract.hammer import SLEEPS, ended, loaded
from moorings.contract.load_report import Report
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.registry import check
from moorings.contract.site import Site, own_jaeger
from moorings.contract.size import BETWEEN
from moorings.contract.spans import Caller
from moorings.contract.wire import Answer
from moorings.errors import MoorError
from moorings.tracing import Traces

LAYER = Path(__file__).parents[1] / "layers" / "other_jaeger.yaml"

#: Settings of which a gateway in a container takes in the first as it runs, that make Jaeger anew,
#: and for which the gateway is made anew.
TAKEN_IN: dict[str, object] = {"server.max_body": 1024 * 1024}
OTHER_JAEGER: dict[str, object] = {**TAKEN_IN, "docker.layers": str(LAYER)}
ANEW: dict[str, object] = {**OTHER_JAEGER, "server.grace": 33}

#: A body over the largest that is then taken.
TOO_LARGE = b"x" * (2 * 1024 * 1024)

#: Seconds in which requests may fail, where the operator agreed.
MOMENT = 5.0


@check(
    "deploy.renewed",
    proves="a gateway takes in another configuration, and Jaeger is made anew, with 0 failed; a "
    "gateway that must be made anew is asked about first, and costs a moment",
    needs=["parts", "probe", "deploy", "process"],
    control="a deploy that does not ask",
)
def renewed(column: Column) -> str:
    """Change what costs a moment, unasked; then under load what costs nothing, and that."""
    # With a Jaeger of its own, and not the one that all checks share.
    with column.other({**own_jaeger(), "docker.network": ""}) as site:
        _refused(site)
        claim(_sent(site).status == 200, "a body below the limit is refused")
        with loaded(site.url, column.size) as load:
            site.deploy(TAKEN_IN, proof=False)
            _has_taken_in(site)
            load.wait(BETWEEN)
            took = _another_jaeger(site, column.patience)
            load.wait(BETWEEN)
            mark = time.time()
            site.deploy(ANEW, proof=False, agreed=True)
            report = ended(load)
    free, paid = _parted(report, mark - report.since)
    claim(not free.failed, f"nothing that clients wait for was made anew: {free.describe()}")
    lost = _lasted(paid)
    claim(lost <= MOMENT, f"requests failed for {lost:.1f} s: {paid.describe()}")
    free_of = f"taken in, and Jaeger made anew, with spans after {took:.1f} s: {free.summary()}"
    return f"{free_of}; the gateway made anew: {paid.summary()}, for {lost:.1f} s"


def _sent(site: Site) -> Answer:
    return wire.ask(f"{site.url}/_probe/echo", "POST", body=TOO_LARGE)


def _has_taken_in(site: Site) -> None:
    """See that the gateway itself has the other limit: an answer of the app names its trace."""
    answer = _sent(site)
    claim(answer.status == 413, f"a body over the limit: answered {answer.status}", answer)
    claim("traceresponse" not in answer.headers, "the gateway let a body pass to the app", answer)


def _another_jaeger(site: Site, patience: float) -> float:
    """Deploy what makes Jaeger anew; return the seconds until it has a span of a new request."""
    before = _jaeger(site)
    site.deploy(OTHER_JAEGER, proof=False)
    claim(not _jaeger(site) & before, "Jaeger is the one that was to be made anew")
    caller, began = Caller(), time.monotonic()
    wire.ask(site.url + SLEEPS, headers=caller.headers)
    traces = Traces(site.deployment.jaeger.query_url)
    traces.wait_for(caller.trace_id, timeout=patience, predicate=lambda found: bool(found.spans))
    return time.monotonic() - began


def _jaeger(site: Site) -> set[str]:
    found = {one.id for one in site.target.instances() if one.role == "jaeger"}
    claim(bool(found), "no Jaeger runs")
    return found


def _parted(report: Report, mark: float) -> tuple[Report, Report]:
    """Return what ended before a moment of a load, and the rest."""
    before = tuple(one for one in report.records if one.ended < mark)
    after = tuple(one for one in report.records if one.ended >= mark)
    return replace(report, records=before), replace(report, records=after)


def _refused(site: Site) -> None:
    before = site.pids()
    try:
        site.deploy(ANEW, proof=False)
    except MoorError as refused:
        claim("makes anew gateway" in refused.fact, f"refused for another cause: {refused.fact}")
        claim(site.pids() == before, "something was changed before it was refused")
        return
    raise CheckFailed("a deploy made the gateway anew, and nobody was asked")


def _lasted(report: Report) -> float:
    """Return the seconds between the first request that failed and the last."""
    failed = [one for one in report.records if one.kind is not None]
    return max(one.ended for one in failed) - min(one.began for one in failed) if failed else 0.0
