"""The command `moor`: verbs, and the only place that catches `MoorError`."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import click

from moorings import cluster, deployment, local, logfile, report, targets, ui, words
from moorings.bench import bench
from moorings.contract.command import check
from moorings.contract.grid.command import grid
from moorings.contract.prove import prove
from moorings.deployment import Deployment
from moorings.errors import MoorError, UsageError, of_system
from moorings.flags import setting_options, target_argument, values
from moorings.runner import DryRunner, LocalRunner
from moorings.tracing import Traces, checked

ROOT = Path(__file__).resolve().parents[2]

_VERBS = "`./moor --help` lists the verbs"


class Verbs(click.Group):
    """A group that says which verb was probably meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb.

        :raises UsageError: naming the nearest one.
        """
        if self.get_command(ctx, args[0]) is None:
            meant = words.meant(args[0], self.commands)
            raise UsageError(f"no verb {args[0]!r}{meant}", hint=_VERBS)
        return super().resolve_command(ctx, args)


dry_run = click.option("--dry-run", is_flag=True, help="Print the commands, run none.")


def _open(target: str, options: dict[str, Any], looks_only: bool = False) -> Deployment:
    runner = DryRunner() if options.get("dry_run") else LocalRunner()
    return deployment.open(ROOT, os.environ, values(options), target, runner, looks_only)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
def moor() -> None:
    """Deploy a Flask app, operate it, and prove that the deployment works.

    \b
    Example:
      moor deploy gunicorn --local     the app, Jaeger, a tour and its trace
      moor status                      what runs, where, as which user
      moor check gunicorn              prove it
      moor down                        drain and remove all of it
    """


@moor.command()
@target_argument
@click.option(
    "--local", "is_local", is_flag=True, help="Start Jaeger, walk a tour, show its trace."
)
@click.option(
    "--yes",
    is_flag=True,
    help="Install what is missing, and interrupt clients for a moment, without asking.",
)
@dry_run
@setting_options
def deploy(target: str, is_local: bool, yes: bool, **options: Any) -> None:
    """Deploy the working tree on TARGET.

    \b
    Example:
      moor deploy gunicorn --workers 4
      moor deploy gunicorn --app shop:app --app-dir ../shop
    """
    made = replace(_open(target, options), yes=yes)
    if is_local:
        local.deploy(made)
    else:
        report.deployed(made, made.deploy())


@moor.command()
@target_argument
@click.argument("version", default="", metavar="[VERSION]")
@dry_run
@setting_options
def rollback(target: str, version: str, **options: Any) -> None:
    """Go back to a release that is kept: VERSION, or what served before the live one.

    Nothing is built or migrated; the settings are those of now.

    \b
    Example:
      moor rollback
      moor rollback gunicorn 4b6e64a8fc27
    """
    if not version and not words.meant(target, targets.names()):
        target, version = "", target
    made = _open(target, options)
    report.deployed(made, made.rollback(version))


@moor.command()
@target_argument
@setting_options
def releases(target: str, **options: Any) -> None:
    """List the releases: what serves, what can be gone back to, what failed.

    \b
    Example:
      moor releases
    """
    report.releases(_open(target, options, looks_only=True))


@moor.command()
@target_argument
@dry_run
@setting_options
def reload(target: str, **options: Any) -> None:
    """Take changed settings into the running app, checked first.

    \b
    Example:
      moor reload gunicorn --workers 4
    """
    made = _open(target, options)
    made.reload()
    if not made.context.runner.dry:
        ui.good("the running app has the new settings")


@moor.command()
@target_argument
@setting_options
def status(target: str, **options: Any) -> None:
    """Show what runs, where, as which user, and what was put on the machine.

    Ends with 0 where the app runs, else with 3.

    \b
    Example:
      moor status
    """
    sys.exit(report.status(_open(target, options, looks_only=True)))


@moor.command()
@target_argument
@click.option("--lines", default=100, show_default=True, type=click.IntRange(1, 100_000))
@setting_options
def logs(target: str, lines: int, **options: Any) -> None:
    """Print the newest log lines of the app: readable on a terminal, as they are in a pipe.

    \b
    Example:
      moor logs --lines 20
    """
    text = _open(target, options, looks_only=True).target.logs(lines)
    if not text:
        ui.warn("there is no line yet")
        return
    click.echo(logfile.readable(text) if ui.out.is_terminal else text)


@moor.command()
@target_argument
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@setting_options
def traces(target: str, limit: int, **options: Any) -> None:
    """List the newest traces.

    \b
    Example:
      moor traces --limit 5
    """
    report.traces(_open(target, options, looks_only=True), limit)


@moor.command()
@click.argument("trace_id")
@setting_options
def trace(trace_id: str, **options: Any) -> None:
    """Show the trace TRACE_ID as a tree.

    \b
    Example:
      moor trace 4bf92f3577b34da6a3ce929d0e0e4736
    """
    wanted = checked(trace_id)
    made = _open("", options, looks_only=True)
    report.trace(made, Traces(report.query_url(made)).get(wanted))


@moor.command()
@target_argument
@click.option("--volumes", is_flag=True, help="Remove the data too: the database, stored traces.")
@click.option(
    "--all", "everything", is_flag=True,
    help="Also what all deployments share: environments, the user of the service.",
)  # fmt: skip
@dry_run
@setting_options
def down(target: str, volumes: bool, everything: bool, **options: Any) -> None:
    """Drain the app, stop Jaeger, and remove what a deploy made; data is kept.

    \b
    Example:
      moor down
      moor down --volumes
    """
    made = _open(target, options, looks_only=True)
    if everything:
        made.require_alone()
    made.down(volumes)
    if everything:
        made.clean()
    if not made.context.runner.dry:
        ui.good(f"nothing of this deployment runs any more{report.kept(made.target.data())}")


@moor.command()
@target_argument
@setting_options
def config(target: str, **options: Any) -> None:
    """Show every setting and its value.

    \b
    Example:
      moor config --workers 4
    """
    report.config(_open(target, options, looks_only=True).settings)


@moor.command()
@click.argument("state", type=click.Choice(["on", "off"]))
@target_argument
@setting_options
def maintenance(state: str, target: str, **options: Any) -> None:
    """Answer clients 503 at the gateway, or no longer; the app runs on.

    \b
    Example:
      moor maintenance on
      moor maintenance off
    """
    made = _open(target, options)
    made.maintain(state == "on")
    ui.good("clients are answered 503" if state == "on" else "clients reach the app")


@moor.command(name="targets")
def list_targets() -> None:
    """List the targets, and what each still needs on this machine."""
    for name in targets.names():
        report.needs(_open(name, {}, looks_only=True).target)


moor.add_command(check)
moor.add_command(prove)
moor.add_command(grid)
moor.add_command(bench)
moor.add_command(cluster.command)
for own in targets.commands():
    moor.add_command(own)


def _stop(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that what was begun is cleaned up, with the status of the signal."""
    sys.exit(128 + number)


def main() -> None:
    """Run a verb; show an error in two lines, and a traceback only for a bug of moorings."""
    signal.signal(signal.SIGTERM, _stop)
    # The service's user must reach its code below the state folder; what is secret says so itself.
    os.umask(0o022)
    try:
        moor.main(prog_name="moor", standalone_mode=False)
    except MoorError as problem:
        ui.error(problem)
        sys.exit(problem.exit_code)
    except click.ClickException as problem:
        ui.error(UsageError(problem.format_message(), hint=_VERBS))
        sys.exit(problem.exit_code)
    except BrokenPipeError:
        # Whoever read has enough, as in `./moor logs | head`.
        ui.out.on_broken_pipe()
    except OSError as problem:
        ui.error(of_system(problem))
        sys.exit(MoorError.exit_code)
    except click.Abort:
        ui.warn("stopped")
        sys.exit(130)
