"""Deploy, rollback, reload, down: the policy, written once from a target's primitives."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from moorings import logfile, probe, ui
from moorings.contract import smoke
from moorings.errors import MoorError, NeedError, NotReadyError, of_system
from moorings.history import Change, History
from moorings.lock import Lock
from moorings.probe import Clock
from moorings.target import Leans, Need, Outlived, Release, Renews, Shared, Target

#: A new release must live this long, in seconds, before clients reach it.
ALIVE = 5.0


def nothing(need: Need) -> bool:
    """Supply nothing."""
    return False


def never(costs: Sequence[str]) -> bool:
    """Agree to nothing that clients would notice."""
    return False


@dataclass(frozen=True)
class Plan:
    """How a deploy goes about it."""

    lock: Lock
    history: History
    migrate: str
    """The app's command, empty where it has none."""
    boot_timeout: float
    """Seconds."""
    prove: Callable[[Target, Release, float], None]
    """The proof before the switch; a control of the contract leaves it out."""
    claim: Callable[[], AbstractContextManager[None]] = nullcontext
    """Notes for a block whose deployment this is; raises where it is another's."""
    supply: Callable[[Need], bool] = nothing
    """Gets what a target lacks, where it may."""
    agree: Callable[[Sequence[str]], bool] = never
    """Asks the operator for what clients would notice."""
    window: float = ALIVE
    """Seconds for which a proved release must stay alive before clients reach it."""


def deploy(target: Target, release: Release, plan: Plan) -> Change | None:
    """Put a release in place of the live one; None where it runs already.

    The live release is not touched until the new one is proved. On any failure, Ctrl-C
    included, the new one is removed and the first error is raised.
    """
    with _alone(target, plan, f"deploy {release.version}"):
        old = _live(target, plan)
        if old == release:
            _renewed(target, plan)
            _retire_left(target)
            return None
        with plan.claim():
            return _deploy(target, old, release, plan)


def _deploy(target: Target, old: Release | None, release: Release, plan: Plan) -> Change:
    require_known(target, old)
    require(target.needs(), plan.supply)
    require_agreed(target, plan)
    ui.say(f"Release {release.version} on {target.column}", style="bold")
    with plan.history.change("deploy", old, release) as change:
        with _undone(target, release, plan, change):
            _make(target, release, plan, change)
            _bring_up(target, release, plan, change)
        _settle(target, old, release, plan, change)
    return change


def rollback(target: Target, release: Release, plan: Plan) -> Change | None:
    """Put a release that is kept in place of the live one: no build, no migration, same proof.

    None where it runs already.
    """
    with _alone(target, plan, f"rollback to {release.version}"):
        old = _live(target, plan)
        if old is not None and old.version == release.version:
            return None
        require_known(target, old)
        require(target.needs(), plan.supply)
        ui.say(f"Back to release {release.version} on {target.column}", style="bold")
        with plan.history.change("rollback", old, release) as change:
            with _undone(target, release, plan, change):
                with change.part("check"):
                    _accepted(target, release)
                _bring_up(target, release, plan, change)
            _settle(target, old, release, plan, change)
        return change


@contextmanager
def _alone(target: Target, plan: Plan, doing: str) -> Iterator[None]:
    """See that nobody else changes the deployment meanwhile, on this machine or another."""
    with plan.lock.held(doing), target.held(doing) if isinstance(target, Shared) else nullcontext():
        yield


def require(needs: list[Need], supply: Callable[[Need], bool] = nothing) -> None:
    """See that a target has what it wants before any work is done.

    :param supply: gets what is missing, where it may; tells whether it did.
    :raises NeedError: naming the first that is missing and the line that gets it.
    """
    for need in needs:
        if not need.there and not supply(need):
            raise NeedError(need.what, hint=need.how)


def _live(target: Target, plan: Plan) -> Release | None:
    """Return what serves; what it takes to ask, as an engine that is stopped, is supplied first."""
    try:
        return target.live()
    except NeedError:
        require(target.needs(), plan.supply)
        return target.live()


def require_agreed(target: Target, plan: Plan) -> None:
    """See that the operator wants what of a deploy clients would notice.

    :raises MoorError: where nobody says so; nothing is changed then.
    """
    costs = target.interrupts() if isinstance(target, Renews) else []
    if costs and not plan.agree(costs):
        raise MoorError(
            f"this deploy makes anew {' and '.join(costs)}: requests fail for a moment; "
            "nothing is changed yet",
            hint=f"./moor deploy {target.name} --yes, in a quiet hour",
        )


def _renewed(target: Target, plan: Plan) -> None:
    """See that what outlives deploys is as it should be; the release itself is."""
    require_agreed(target, plan)
    _renew(target)


def _renew(target: Target) -> None:
    if isinstance(target, Renews):
        target.renew()


def require_known(target: Target, old: Release | None) -> None:
    """See that nothing serves of which the record is gone.

    :raises MoorError: naming its processes.
    """
    strays = [] if old is not None else target.strays()
    if strays:
        raise MoorError(
            f"the app runs, but its state is gone: processes {', '.join(strays)}",
            hint=f"./moor down {target.name} drains and ends them; then deploy",
        )


def _retire_left(target: Target) -> None:
    """End what a deploy has left that was called off while it drained."""
    gone = target.outlived() if isinstance(target, Outlived) else None
    if gone is not None:
        target.retire(gone)
        ui.good(f"ended release {gone.version}, which was left beside it")


@contextmanager
def _undone(target: Target, release: Release, plan: Plan, change: Change) -> Iterator[None]:
    """Take the new release away again where it does not come to serve."""
    built = target.built()
    try:
        yield
    except BaseException as problem:
        _clear(target, release, built)
        if isinstance(problem, Exception):
            plan.history.failed(release)
        if isinstance(problem, OSError):
            raise _with_state(of_system(problem), target) from None
        if isinstance(problem, MoorError):
            _with_state(problem, target)
        if not isinstance(problem, Exception):
            ui.warn(f"release {release.version} was stopped{_data(change)}; {_left(target)}")
        raise


def _clear(target: Target, release: Release, built: set[str]) -> None:
    """Take away what is left of a release; what goes wrong here hides nothing of why."""
    try:
        target.retire(release)
        if release.version not in built and target.live() != release:
            target.remove(release.version)
    except MoorError as late:
        ui.warn(f"not all of release {release.version} was taken away: {late.fact}")


def _data(change: Change) -> str:
    if "migrate" not in change.seconds:
        return ""
    return "; its migration had " + ("ended" if "proof" in change.seconds else "begun")


def _with_state(problem: MoorError, target: Target) -> MoorError:
    """Add to the next step what is left as it was."""
    then = problem.hint or "mend it and deploy again"
    problem.hint = f"{then}; {_left(target)}"
    return problem


def _left(target: Target) -> str:
    return left(target) or "nothing was left running"


def left(target: Target) -> str:
    """Return in words what runs after a failure; empty: nothing.

    What goes wrong here hides nothing of why that was.
    """
    try:
        live = target.live()
        parts = target.beside() if live is None and isinstance(target, Leans) else ()
    except MoorError as late:
        return f"what runs on is not known: {late.fact}"
    if live is not None:
        return f"release {live.version} was not touched and serves on"
    return f"{' and '.join(parts)} run on until ./moor down {target.name}" if parts else ""


def _make(target: Target, release: Release, plan: Plan, change: Change) -> None:
    with change.part("build"):
        target.build(release)
    _renew(target)
    if not plan.migrate:
        return
    try:
        with change.part("migrate"), ui.working("Migrating the database"):
            target.migrate(release, plan.migrate)
    except MoorError as problem:
        problem.fact = f"the migration failed: {_last_word(problem)}"
        raise


def _accepted(target: Target, release: Release) -> None:
    """Ask the old release before anything of it starts whether it can run on newer data."""
    try:
        with ui.working(f"Asking release {release.version} whether it knows the data"):
            target.accepts(release)
    except MoorError as problem:
        problem.fact = f"release {release.version} refuses: {_last_word(problem)}"
        problem.hint = problem.hint or "choose another: ./moor releases"
        raise


def _last_word(problem: MoorError) -> str:
    """Return the cause: what is known with its next step, or else the last line of a log."""
    if problem.hint:
        return problem.fact
    said = problem.log.strip().splitlines()
    return said[-1] if said else problem.fact


def _bring_up(target: Target, release: Release, plan: Plan, change: Change) -> None:
    try:
        with ui.working(f"Proving release {release.version}"):
            with change.part("proof"):
                target.start(release)
                plan.prove(target, release, plan.boot_timeout)
            with change.part("window"):
                stays_alive(target, release, plan.window)
        if plan.window:
            ui.good(f"release {release.version} is ready and stays alive")
        with change.part("switch"):
            target.switch(release)
    except MoorError as problem:
        _explain(problem, target, release)
        raise


def _settle(
    target: Target, old: Release | None, release: Release, plan: Plan, change: Change
) -> None:
    """Record the release that has taken over, drain the old one, remove what is too old."""
    change.took_over = True
    plan.history.served(release, old, back=change.verb == "rollback")
    try:
        # What was not known to serve may be back by now.
        gone = target.outlived() if old is None and isinstance(target, Outlived) else old
        if gone is not None:
            with change.part("drain"):
                target.retire(gone)
    except (KeyboardInterrupt, SystemExit):
        end = f"; ./moor deploy {target.name} ends it" if isinstance(target, Outlived) else ""
        fact = f"release {release.version} had taken over; the old one gets no new requests{end}"
        ui.warn(fact)
        raise
    if not plan.history.dry:
        for version in target.built() - plan.history.versions() - {release.version}:
            target.remove(version)


def _explain(problem: MoorError, target: Target, release: Release) -> None:
    """Add what the release itself said, before it is removed with its log."""
    log = problem.log or target.logs(200, release)
    why = logfile.cause(log)
    if why not in problem.fact:
        problem.fact = f"{problem.fact}: {why}"
    problem.log = "\n".join(logfile.readable(logfile.ours(log)).splitlines()[-30:])


def prove(target: Target, release: Release, timeout: float) -> None:
    """See that a started release is ready and passes the contract's first checks.

    :param timeout: seconds within which it must be ready.
    :raises MoorError: saying what was seen instead.
    """
    url = target.prove_url(release)
    _ready(target, release, url, timeout)
    smoke.prove(url, release, target.column)


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


def reload(target: Target, release: Release, plan: Plan) -> None:
    """Take changed settings into the live release."""
    with _alone(target, plan, "reload"), plan.history.change("reload", release, release):
        try:
            target.reload(release)
        except MoorError as problem:
            _explain(problem, target, release)
            raise


def maintain(target: Target, plan: Plan, on: bool) -> None:
    """Let clients be answered 503 without a look at the app, or no longer."""
    live = target.live()
    with (
        _alone(target, plan, "maintenance"),
        plan.history.change(f"maintenance {'on' if on else 'off'}", live, live),
    ):
        target.maintain(on)


def down(target: Target, plan: Plan, volumes: bool = False) -> None:
    """Drain and remove a deployment; fine when nothing is up."""
    with _alone(target, plan, "down"):
        old = target.live()
        if old is None:
            target.down(volumes)
            return
        with plan.history.change("down", old, None):
            target.down(volumes)
