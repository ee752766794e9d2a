"""`moor cluster`: a one-node Kubernetes to be thrown away, for a machine that has no other."""

import os
import sys
from contextlib import suppress
from pathlib import Path

import click

from moorings import deployment, lifecycle, machine, targets, ui
from moorings.errors import CommandError, LockedError, MoorError, NotReadyError, UsageError
from moorings.layout import Layout
from moorings.packages import Supply
from moorings.runner import LocalRunner, Runner
from moorings.services import cluster_needs, go
from moorings.services.cluster import Cluster
from moorings.services.cluster_build import VERSION, Programs
from moorings.services.engine import Engine

ROOT = Path(__file__).resolve().parents[2]

#: Seconds for a large image on its way out of the engine.
SAVE = 300.0


def of(layout: Layout, runner: Runner) -> Cluster:
    """Return the cluster of a checkout, running or not."""
    cache = go.cache(os.environ.get("XDG_CACHE_HOME", ""), Path.home())
    parts = layout.root / "deploy" / "parts" / "cluster"
    return Cluster(layout.clusters / layout.name, parts, Programs(parts, cache, runner), runner)


def prepare(layout: Layout, runner: Runner, *, yes: bool) -> Cluster:
    """Return the cluster with all that it needs made, and what dead ones left removed.

    :param yes: install what is missing without asking.
    :raises NeedError: naming what this machine lacks, and what does instead.
    """
    lifecycle.require(cluster_needs.needs(), Supply(runner, layout.state, yes=yes))
    lifecycle.require(cluster_needs.needs())
    made = of(layout, runner)
    made.programs.make()
    sweep(layout, runner)
    return made


def start(layout: Layout, runner: Runner, *, yes: bool) -> tuple[Cluster, bool]:
    """Start the cluster of a checkout, and note that it is here; tell whether it was to be done."""
    made = prepare(layout, runner, yes=yes)
    machine.remember(layout.state, _item(layout))
    try:
        return made, made.up()
    finally:
        _forget_gone(layout, made)


def sweep(layout: Layout, runner: Runner) -> None:
    """Remove what is left of clusters of this state folder whose starter was killed."""
    for folder in sorted(layout.clusters.glob("*/")):
        one = of(layout, runner)
        left = Cluster(folder, one.parts, one.programs, runner)
        if folder == one.home or not left.is_left():
            continue
        # Somebody may be starting or stopping it just now.
        with suppress(LockedError):
            left.down()
            ui.warn(f"removed what was left of the cluster {folder.name}")


def _layout(name: str) -> Layout:
    flags = {"deployment.name": name} if name else {}
    return deployment.open(ROOT, os.environ, flags, targets.DEFAULT, looks_only=True).layout


def _item(layout: Layout) -> machine.Item:
    undo = [str(ROOT / "moor"), "cluster", "down", "--name", layout.name]
    return machine.Item("cluster", layout.name, undo)


name_option = click.option("--name", default="", help="Of the deployment; default: the checkout's.")


@click.group(name="cluster")
def command() -> None:
    """Look after a one-node Kubernetes to be thrown away, for tests on this machine."""


@command.command()
@click.option("--yes", is_flag=True, help="Install what is missing without asking.")
@name_option
def up(yes: bool, name: str) -> None:
    """Start a cluster, as root on Linux; its programs are built once, and kept.

    \b
    Example:
      moor cluster up --yes
      moor cluster up --name trial
    """
    made, started = start(_layout(name), LocalRunner(), yes=yes)
    ui.good(f"Kubernetes {VERSION} {'is up' if started else 'was up already'}")
    _how(made)


@command.command()
@name_option
def down(name: str) -> None:
    """End the cluster with all that runs in it, and leave nothing of it.

    \b
    Example:
      moor cluster down
    """
    layout = _layout(name)
    made = of(layout, LocalRunner())
    found = made.down()
    _forget_gone(layout, made)
    ui.good("the cluster is gone" if found else "there is no cluster")


@command.command()
@name_option
def status(name: str) -> None:
    """Show whether the cluster runs, and how to reach it. Ends with 0 where it is ready, else 3.

    \b
    Example:
      moor cluster status
    """
    made = of(_layout(name), LocalRunner())
    if not made.is_up():
        ui.say("no cluster runs")
        sys.exit(3)
    if not made.ready():
        ui.warn(f"the cluster runs, but its node is not ready; see {made.home / 'logs'}")
        sys.exit(3)
    ui.good(f"Kubernetes {VERSION} is ready")
    _how(made)


@command.command()
@click.argument("image")
@name_option
def load(image: str, name: str) -> None:
    """Hand the node IMAGE: one of Docker's, or an archive of one (*.tar).

    \b
    Example:
      moor cluster load moorings/app:4b6e64a8fc27
      moor cluster load ./app.tar
    """
    layout, runner = _layout(name), LocalRunner()
    made = _running(layout, runner)
    load_image(made, image, Engine(runner, layout, os.environ))
    ui.good(f"the node has {image}")


@command.command()
@click.argument("program")
@name_option
def restart(program: str, name: str) -> None:
    """End PROGRAM of the node, as a crash would; the node starts it again.

    \b
    Example:
      moor cluster restart kubelet
    """
    _running(_layout(name), LocalRunner()).restart(program)
    ui.good(f"another {program} runs")


def _running(layout: Layout, runner: Runner) -> Cluster:
    made = of(layout, runner)
    if not made.is_up():
        raise NotReadyError("no cluster runs", hint="./moor cluster up")
    return made


def load_image(cluster: Cluster, image: str, engine: Engine) -> None:
    """Hand the node an image of an engine, or of an archive.

    :raises MoorError: where there is no such image.
    """
    with ui.working(f"Loading {image}"):
        if image.endswith(".tar"):
            _load_archive(cluster, Path(image).absolute())
            return
        if engine.ask("image", "inspect", image).status != 0:
            raise MoorError(f"Docker has no image {image}", hint="docker images lists what it has")
        archive = cluster.fresh()
        try:
            engine.do("save", "--output", str(archive), image, timeout=SAVE)
            cluster.load(archive)
        finally:
            archive.unlink(missing_ok=True)


def _load_archive(cluster: Cluster, archive: Path) -> None:
    if not archive.is_file():
        raise UsageError(
            f"there is no archive {archive}", hint="docker save -o FILE IMAGE makes one"
        )
    try:
        cluster.load(archive)
    except CommandError as problem:
        fact = f"containerd does not take {archive}"
        hint = "docker save -o FILE IMAGE makes one that it takes"
        raise CommandError(fact, hint=hint, log=problem.log) from None


def _forget_gone(layout: Layout, made: Cluster) -> None:
    """Strike it off what `moor status` lists, unless there is something of it."""
    if made.home.exists():
        return
    machine.forget(layout.state, [_item(layout)])


def _how(made: Cluster) -> None:
    ui.say(f"By hand: export KUBECONFIG={made.kubeconfig}")
    if os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"):
        ui.say(f"         export NO_PROXY={made.unproxied(os.environ)['NO_PROXY']}")
    ui.say(f"         export PATH={made.programs.bin}:$PATH")
