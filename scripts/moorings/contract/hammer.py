"""A deployment under load from near and far at once, and the verdict on what came of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from moorings.contract.delay import delayed
from moorings.contract.events import Events
from moorings.contract.load import Load, running
from moorings.contract.load_plan import Group, Plan, below_400, in_turn
from moorings.contract.load_releases import Succession
from moorings.contract.load_report import Report
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.size import BETWEEN, Size
from moorings.contract.spans import Caller
from moorings.contract.wire import Answer, Connection

#: Each leaves a span, and lasts long enough to be met by what happens to its worker.
SLEEPS = "/_probe/sleep/0.02"

#: Clients of which some are about to ask whenever a connection is closed.
IDLE = 150


def _groups(near: str, far: str) -> tuple[Group, ...]:
    """Both modes at both distances; the pause leaves a small machine the time for anything else."""
    busy = (
        Group("keep-alive", clients=3, pause=0.02),
        Group("per request", clients=3, keep_alive=False, pause=0.02),
        Group("keep-alive at 40 ms", clients=3, pause=0.02, url=far),
        Group("per request at 40 ms", clients=3, keep_alive=False, pause=0.02, url=far),
    )
    # One after another, so that each of them idles for 2.5 s.
    idle = Group("idle at 40 ms", clients=IDLE, rate=IDLE / 2.5, url=far)
    return (*busy, idle) if _stays_open(near) else busy


def _stays_open(url: str) -> bool:
    """Tell whether there are idle connections: sync workers close each after its answer."""
    with Connection(url) as connection:
        # It is no request of the load: it asks for no span.
        connection.ask("GET", SLEEPS, Caller().unsampled)
        return connection.reusable


@contextmanager
def loaded(
    url: str,
    size: Size,
    succession: Succession | None = None,
    verdict: Callable[[Answer], str] = below_400,
) -> Iterator[Load]:
    """Hammer a URL for the length of a block, by requests that each leave a span."""
    with delayed(url) as far:
        plan = Plan(
            url,
            ask=in_turn(SLEEPS),
            groups=_groups(url, far),
            requests=200_000,
            seconds=size.seconds,
            verdict=verdict,
        )
        with running(plan, succession) as load:
            load.wait(BETWEEN)
            yield load


def ended(load: Load, events: Events | None = None) -> Report:
    """Load some more, and stop a load that was on to the end.

    :param events: the last of them has met enough then.
    """
    if events is None:
        load.wait(BETWEEN)
    else:
        events.enough()
    claim(not load.over, "the load ended before the change did")
    return load.stop()


def unharmed(load: Load, events: Events | None = None) -> Report:
    """Stop a load as `ended` does, and see that nothing failed."""
    report = ended(load, events)
    if report.failed:
        raise CheckFailed(report.describe())
    return report


def figure(report: Report) -> str:
    """Return the figure of a load: the failed of all, and how long one had to wait at most."""
    return f"{report.summary()}, the longest took {report.latency(100):.1f} s"
