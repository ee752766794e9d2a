"""What the verbs show: one place for the look of tables and addresses."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass

from rich.table import Table
from rich.text import Text

from moorings import capacity, machine, traceview, ui
from moorings.addresses import shown
from moorings.deployment import Deployment
from moorings.errors import MoorError
from moorings.history import Change, Entry
from moorings.settings import Settings
from moorings.target import UNWATCHED, Instance, Target
from moorings.tracing import Trace, Traces

#: What `moor status` ends with where nothing runs, as `systemctl status` does.
NOT_RUNNING = 3


def deployed(made: Deployment, change: Change | None) -> None:
    """Say how a deploy or a rollback ended."""
    if made.context.runner.dry:
        return
    live = made.target.live()
    version = live.version if live else ""
    if change is None:
        ui.good(f"release {version} runs already; nothing to do")
    else:
        ui.good(f"release {version} serves")
        ui.say(f"  took    {_took(change)}")
    ui.say(f"  app     {shown(made.target.endpoints().app)}")


def _took(change: Change) -> str:
    """Tell the work from the waiting that is meant."""
    waits = [
        f"{change.seconds[name]:.1f} s {what}" for name, what in _WAITS if name in change.seconds
    ]
    return ", ".join([f"{change.work:.1f} s", *waits])


_WAITS = (("window", "proving window"), ("drain", "drain of the old release"))


def releases(made: Deployment) -> None:
    """List the releases, newest first."""
    entries, built, live = made.history.entries(), made.target.built(), made.target.live()
    if not entries:
        ui.say("no release yet")
        return
    table = Table(box=None, pad_edge=False)
    for title in ("version", "commit", "when", "by", "state"):
        table.add_column(title)
    for one in entries:
        state = _state(one, built, live.version if live else "")
        table.add_row(one.version, one.commit[:12], one.at, one.by, state)
    ui.show(table)


def _state(entry: Entry, built: set[str], live: str) -> str:
    if entry.version == live:
        return "live"
    if entry.failed:
        return "failed"
    return "kept" if entry.version in built else "removed"


def addresses(made: Deployment) -> None:
    """Say where to go on from here."""
    ui.say("Addresses", style="bold")
    ui.say(f"  app     {shown(made.target.endpoints().app)}")
    jaeger = made.jaeger
    if jaeger.query_url:
        kind = "UI" if jaeger.has_ui() else "query API, no web pages in this build: ./moor traces"
        ui.say(f"  Jaeger  {jaeger.query_url}  ({kind})")


def status(made: Deployment) -> int:
    """Show what runs, where, as which user, and what was put on the machine."""
    live = made.target.live()
    ui.say(f"Deployment {made.layout.name} on {made.target.column}", style="bold")
    if live is None:
        ui.say("  the app does not run")
        strays = made.target.strays()
        if strays:
            found = f"processes {', '.join(strays)} run, but their state is gone"
            ui.warn(f"{found}: ./moor down {made.target.name} drains and ends them")
    else:
        where = made.target.endpoints()
        ui.say(f"  release {live.version} at {shown(where.app)}")
        if where.inner:
            ui.say(f"  for operators at {where.inner}: /readyz, /metrics")
        if where.closed:
            ui.warn("clients are answered 503: ./moor maintenance off")
        ui.show(_instances(made.target.instances()))
        if live.settings == UNWATCHED:
            ui.warn("its supervisor was killed; ./moor reload starts another, which takes over")
    ui.say(f"  Jaeger  {made.jaeger.describe()}")
    ui.say(f"  state   {made.layout.home}")
    last = made.history.last()
    if last:
        ui.say("  last    {verb} at {time} by {by}: {outcome}".format(**last))
    for line in _on_this_machine(made):
        ui.say(f"  on this machine: {line}")
    return 0 if live is not None else NOT_RUNNING


def _on_this_machine(made: Deployment) -> list[str]:
    """Return what all deployments share; `down --all` removes it."""
    layout = made.layout
    shared = [folder for folder in (layout.environments, layout.bin) if folder.is_dir()]
    lines = [f"{len(list(folder.glob('[!.]*')))} in {folder}" for folder in shared]
    return [*(f"{item.kind} {item.name}" for item in machine.items(layout.state)), *lines]


def _instances(found: list[Instance]) -> Table:
    table = Table(box=None, pad_edge=True)
    for title in ("  role", "id", "user", "memory", "listens on"):
        table.add_column(title)
    for one in found:
        memory = f"{one.memory / 2**20:.0f} MiB"
        table.add_row(f"  {one.role}", one.id, one.user, memory, ", ".join(one.listens))
    return table


def query_url(made: Deployment) -> str:
    """Return where to ask for traces.

    :raises MoorError: where there is no such place.
    """
    if not made.jaeger.query_url:
        raise MoorError(made.jaeger.why_no_trace, hint="set JAEGER_URL, or deploy --local")
    return made.jaeger.query_url


def traces(made: Deployment, limit: int) -> None:
    """List the newest traces of the service."""
    found = Traces(query_url(made)).newest(limit)
    if not found:
        ui.say("no traces yet")
        return
    ui.show(traceview.listing(found))


def trace(made: Deployment, shown: Trace) -> None:
    """Show a trace as a tree, and its link where this Jaeger has pages."""
    ui.say()
    ui.show(traceview.render(shown))
    link = made.jaeger.ui_link(shown.trace_id)
    ui.say(f"  {link or f'./moor trace {shown.trace_id}'}")
    ui.say()


def config(settings: Settings) -> None:
    """Show every setting; what may hold a password shows none."""
    parts: dict[str, object] = {
        "deployment": settings.deployment,
        "app": settings.app,
        "server": settings.server,
        "gateway": settings.gateway,
        "jaeger": settings.jaeger,
        **settings.targets,
    }
    for name, part in parts.items():
        ui.say(f"[{name}]", style="bold")
        if not is_dataclass(part):
            continue
        for item in fields(part):
            shown = _shown(item.name, getattr(part, item.name))
            if part is settings.server and item.name == "workers":
                shown = capacity.explained(settings)
            ui.say(f"{item.name} = {shown}")


def _shown(name: str, value: object) -> str:
    if name == "database_url" and value:
        return '"[redacted]"'
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def needs(target: Target) -> None:
    """Show a target and what it still wants here."""
    missing = [need for need in target.needs() if not need.there]
    ui.show(Text.assemble((f"{target.name:10}", "bold"), "ready" if not missing else ""))
    for need in missing:
        ui.say(f"  {need.what}: {need.how}")


def kept(data: Sequence[str]) -> str:
    """Return in words what `down` keeps of the data, and how that goes; empty: there is none."""
    more = f" and {len(data) - 1} more" if len(data) > 1 else ""
    return f"; its data stay ({data[0]}{more}): --volumes removes them" if data else ""
