"""Deploy, reload, down: the policy, written once from a target's primitives."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from moorings import logfile, probe, ui
from moorings.contract import smoke
from moorings.errors import MoorError, NeedError, NotReadyError
from moorings.lock import Lock
from moorings.probe import Clock
from moorings.target import Need, Release, Target

#: A new release must live this long, in seconds, before clients reach it.
ALIVE = 5.0


@dataclass(frozen=True)
class Plan:
    """How a deploy goes about it."""

    lock: Lock
    migrate: str
    """The app's command, empty where it has none."""
    boot_timeout: float
    """Seconds."""
    prove: Callable[[Target, Release, float], None]
    """The proof before the switch; a control of the contract leaves it out."""


def deploy(target: Target, release: Release, plan: Plan) -> bool:
    """Put a release in place of the live one; tell whether anything had to be done.

    The live release is not touched until the new one is proved. On any failure, Ctrl-C
    included, the new one is removed and the first error is raised.
    """
    with plan.lock.held(f"deploy {release.version}"):
        old = target.live()
        if old == release:
            return False
        require(target.needs())
        ui.say(f"Release {release.version} on {target.column}", style="bold")
        _make(target, release, plan)
        _bring_up(target, release, plan)
        if old is not None:
            target.retire(old)
        return True


def require(needs: list[Need]) -> None:
    """See that a target has what it wants before any work is done.

    :raises NeedError: naming the first that is missing and the line that gets it.
    """
    for need in needs:
        if not need.there:
            raise NeedError(need.what, hint=need.how)


def _make(target: Target, release: Release, plan: Plan) -> None:
    target.build(release)
    try:
        if plan.migrate:
            target.migrate(release, plan.migrate)
    except BaseException as problem:
        if isinstance(problem, MoorError):
            said = problem.log.strip().splitlines()
            problem.fact = f"the migration failed: {said[-1] if said else problem.fact}"
            problem.hint = problem.hint or _kept(target)
        target.retire(release)
        raise


def _bring_up(target: Target, release: Release, plan: Plan) -> None:
    try:
        target.start(release)
        with ui.working(f"Proving release {release.version}"):
            plan.prove(target, release, plan.boot_timeout)
        target.switch(release)
    except MoorError as problem:
        _explain(problem, target, release)
        target.retire(release)
        raise
    except BaseException:
        target.retire(release)
        raise


def _explain(problem: MoorError, target: Target, release: Release) -> None:
    """Add what the release itself said, before it is removed with its log."""
    log = problem.log or target.logs(200, release)
    why = logfile.cause(log)
    if why not in problem.fact:
        problem.fact = f"{problem.fact}: {why}"
    problem.log = "\n".join(logfile.readable(logfile.ours(log)).splitlines()[-30:])
    problem.hint = problem.hint or _kept(target)


def _kept(target: Target) -> str:
    live = target.live()
    if live is None:
        return "mend it and deploy again; nothing was left running"
    return f"mend it and deploy again; release {live.version} was not touched and serves on"


def prove(target: Target, release: Release, timeout: float) -> None:
    """See that a started release is ready, passes the contract's first checks, and stays alive.

    :param timeout: seconds within which it must be ready.
    :raises MoorError: saying what was seen instead.
    """
    url = target.prove_url(release)
    _ready(target, release, url, timeout)
    smoke.prove(url, release, target.column)
    stays_alive(target, release, ALIVE)
    ui.good(f"release {release.version} is ready and stays alive")


def unproved(target: Target, release: Release, timeout: float) -> None:
    """Ask nothing: in a dry run there is nobody to ask, and a control leaves the proof out."""


def _ready(target: Target, release: Release, url: str, timeout: float) -> None:
    ask = probe.Http(f"{url}/readyz")

    def ready_or_gone() -> bool | None:
        if ask() is not None:
            return True
        return None if target.alive(release) else False

    try:
        came_up = probe.until(
            ready_or_gone, what="/readyz to answer 200", timeout=timeout, last=ask.last
        )
    except NotReadyError as problem:
        raise NotReadyError(f"release {release.version} is not ready: {problem.fact}") from None
    if not came_up:
        raise NotReadyError(f"release {release.version} ended while it booted")


def stays_alive(target: Target, release: Release, seconds: float, clock: Clock = time) -> None:
    """Watch a started release for a while.

    :raises NotReadyError: if it ends meanwhile.
    """
    until = clock.monotonic() + seconds
    while clock.monotonic() < until:
        if not target.alive(release):
            raise NotReadyError(f"release {release.version} ended while it was being proved")
        clock.sleep(0.2)


def reload(target: Target, release: Release, lock: Lock) -> None:
    """Take changed settings into the live release."""
    with lock.held("reload"):
        try:
            target.reload(release)
        except MoorError as problem:
            _explain(problem, target, release)
            raise


def down(target: Target, lock: Lock, volumes: bool = False) -> None:
    """Drain and remove a deployment; fine when nothing is up."""
    with lock.held("down"):
        target.down(volumes)
