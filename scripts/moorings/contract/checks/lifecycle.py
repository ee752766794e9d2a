"""deploy.broken, down.clean: what is left of what failed, and of what was taken away."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from moorings.contract import wire
from moorings.contract.column import Column
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.registry import check
from moorings.contract.site import Site, own_jaeger
from moorings.contract.watch import Watch, watching
from moorings.errors import MoorError

APPS = Path(__file__).parents[1] / "apps"


@dataclass(frozen=True)
class Broken:
    """A release that must never take traffic."""

    app: str
    cause: str
    """What must be on screen."""
    at_switch: bool = False
    """Whether it shows only where another process than the proved one is to serve."""
    flags: dict[str, object] = field(default_factory=dict)

    def settings(self) -> dict[str, object]:
        """Return the settings that deploy it."""
        here = {"app.dir": str(APPS / self.app), "app.app": "broken:app"}
        # Apache starts a process that dies while it loads again, until the time is over.
        return {**here, "server.boot_timeout": 15, **self.flags}


BROKEN = (
    Broken("import_error", "No module named 'not_installed'"),
    # Under most servers the others end by themselves; this one takes the whole time.
    Broken(
        "never_ready",
        "the broken app is never ready",
        flags={"app.ready": "broken:ready", "server.boot_timeout": 10},
    ),
    Broken("crash", "the broken app crashes"),
    Broken("third_load", "the broken app may not be loaded a third time", at_switch=True),
    Broken("migration", "the migration fails", flags={"app.migrate": "python migrate.py"}),
)


@check(
    "deploy.broken",
    proves="import error, never ready, crash in or after proof, failing migration: the old serves",
    needs=["deploy", "process", "probe"],
    control="no proof before the switch",
)
def deploy_broken(column: Column) -> str:
    """Deploy each broken release over a good one, watched by a simple client."""
    with column.other() as site, watching(f"{site.url}/version") as watch:
        refused = [one for one in BROKEN if not (one.at_switch and site.target.proved_serves)]
        for broken in refused:
            _refuse(site, broken, watch)
        claim(len(watch.bodies) > 0, "the watching client never got an answer")
    return f"{watch.figure} while {len(refused)} broken releases were refused"


def _refuse(site: Site, broken: Broken, watch: Watch) -> None:
    before, name = site.pids(), broken.app
    shown = _deploy(site, broken)
    _unharmed(watch, broken)
    # One that hangs is no failure yet for the client that watches.
    wire.ask(watch.url, timeout=5)
    claim(broken.cause in shown, f"{name}: {broken.cause!r} is not on screen, but: {shown[-500:]}")
    after = site.pids()
    claim(after == before, f"{name}: processes {sorted(before)} became {sorted(after)}")
    others = {process.pid for process in site.processes()} - before
    claim(not others, f"{name}: processes {sorted(others)} of the refused release are left")


def _deploy(site: Site, broken: Broken) -> str:
    """Return what the refused deploy shows."""
    try:
        site.deploy(broken.settings())
    except MoorError as problem:
        return "\n".join((problem.log, problem.fact, problem.hint))
    raise CheckFailed(f"{broken.app}: the deploy succeeded")


def _unharmed(watch: Watch, broken: Broken) -> None:
    if watch.failures:
        first = watch.failures[0]
        raise CheckFailed(f"{broken.app}: {watch.figure}; the first: {first.fact}")


@check(
    "down.clean",
    proves="after down no process, port or file of it is left; data stays unless --volumes",
    needs=["deploy", "process"],
    control="an app that leaves a daemon",
)
def down_clean(column: Column) -> str:
    """Take down an app with a Jaeger of its own, twice, and look for remains."""
    with column.other(own_jaeger()) as one:
        one.deployment.jaeger.start()
        url, were = one.url, one.processes()
        one.deployment.down()
        _nothing_left(one, url)
        kept = one.target.data()
        one.deployment.down(volumes=True)
        left = one.target.data()
    claim(bool(kept) or "store" not in column.has, "the data did not survive down")
    claim(not left, f"down --volumes left {left[:3]}")
    return f"{len(were)} processes gone, {len(kept)} kept of data until --volumes"


def _nothing_left(site: Site, url: str) -> None:
    left = [f"{process.pid} {' '.join(process.cmdline())[:80]}" for process in site.processes()]
    claim(not left, f"processes are left after down: {left}")
    layout = site.deployment.layout
    for folder in (layout.releases, layout.run, layout.logs):
        claim(not folder.exists(), f"{folder} is left after down")
    with suppress(wire.RefusedError):
        raise CheckFailed("it still answers after down", wire.ask(f"{url}/healthz"))
