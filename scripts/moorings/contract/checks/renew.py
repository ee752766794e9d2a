"""deploy.renewed: what clients notice where a deploy makes anew what outlives others."""

import time
from dataclasses import replace

from moorings.contract.column import Column
from moorings.contract.hammer import ended, loaded
from moorings.contract.load_report import Report
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.registry import check
from moorings.contract.site import Site
from moorings.contract.size import BETWEEN
from moorings.errors import MoorError

#: Settings of which a gateway in a container takes in the first as it runs; for the other it is
#: made anew.
TAKEN_IN: dict[str, object] = {"server.max_body": 1024 * 1024}
ANEW: dict[str, object] = {**TAKEN_IN, "server.grace": 33}

#: Seconds in which requests may fail, where the operator agreed.
MOMENT = 5.0


@check(
    "deploy.renewed",
    proves="a gateway takes in another configuration with 0 failed; one that must be made anew is "
    "asked about first, and costs a moment",
    needs=["parts", "probe", "deploy", "process"],
    control="a deploy that does not ask",
)
def renewed(column: Column) -> str:
    """Change what costs a moment, unasked; then under load what costs nothing, and that."""
    with column.other() as site:
        _refused(site)
        with loaded(site.url, column.size) as load:
            site.deploy(TAKEN_IN, proof=False)
            load.wait(BETWEEN)
            mark = time.time()
            site.deploy(ANEW, proof=False, agreed=True)
            report = ended(load)
    free, paid = _parted(report, mark - report.since)
    claim(not free.failed, f"it was only to take in another configuration: {free.describe()}")
    lost = _lasted(paid)
    claim(lost <= MOMENT, f"requests failed for {lost:.1f} s: {paid.describe()}")
    return f"taken in: {free.summary()}; made anew: {paid.summary()}, for {lost:.1f} s"


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
