"""The verb `moor bench`: how long a deploy of changed code takes while clients hammer."""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import click
from rich.table import Table

from moorings import settings, targets, tree, ui
from moorings.contract import host
from moorings.contract.hammer import ended, loaded
from moorings.contract.load_report import Report
from moorings.contract.run import ROOT
from moorings.contract.site import FLAGS, Site, Yard
from moorings.contract.size import BETWEEN, Size
from moorings.flags import setting_options, values
from moorings.history import WAITS
from moorings.runner import LocalRunner

#: A comment at the end of this file makes another release, of any app.
CHANGED = Path("service", "runtime", "__init__.py")

#: The load must last for all deploys, on a slow machine too.
SIZE = Size.FULL

#: Seconds within which a deploy must have ended.
PATIENCE = 300


@dataclass(frozen=True)
class Timing:
    """One deploy: seconds from the command to its end, and those of its parts."""

    command: float
    parts: Mapping[str, float]

    @property
    def work(self) -> float:
        """Seconds without those that are waited on purpose."""
        return self.command - sum(self.parts.get(name, 0) for name in WAITS)

    def rows(self) -> dict[str, float]:
        """Return what is shown, in order; what is of no part is the start of the command."""
        parts = {name: one for name, one in self.parts.items() if name != "total"}
        return {"command to record, without the waits": self.work, **parts, "all": self.command}


@contextmanager
def copied(root: Path) -> Iterator[Path]:
    """Lend a copy of the checkout that may be changed, with the same environment of moor."""
    with TemporaryDirectory(prefix="moorings-bench-") as place:
        tree.copy(root, ["."], Path(place))
        Path(place, ".venv").symlink_to((root / ".venv").resolve())
        yield Path(place)


def _words(site: Site) -> dict[str, str]:
    """Return the settings of a site as variables, so that a command finds it."""
    flags = {**FLAGS, **site.yard.flags, **site.flags, "deployment.name": site.name}
    words = {key: str(value).lower() if value in (True, False) else str(value)
             for key, value in flags.items()}  # fmt: skip
    return {settings.variable(key): value for key, value in words.items()}


def deploy(site: Site, tree: Path) -> Timing:
    """Deploy a tree to a site by the command that an operator gives.

    :raises CommandError: where it fails.
    """
    env = {**site.yard.environ, "OTEL_SERVICE_NAME": site.name, **_words(site)}
    argv = [str(tree / "moor"), "deploy", site.yard.target]
    began = time.monotonic()
    LocalRunner().run(argv, timeout=PATIENCE, cwd=tree, env=env)
    took = time.monotonic() - began
    newest = site.deployment.history.audit.read_text().splitlines()[-1]
    return Timing(took, json.loads(newest)["seconds"])


def measure(yard: Yard, times: int) -> tuple[list[Timing], Report]:
    """Deploy a tree that has changed, again and again, to a site that is under load."""
    timings = []
    with copied(yard.root) as tree, yard.brief({}) as site, loaded(site.url, SIZE) as load:
        for number in range(times):
            with (tree / CHANGED).open("a") as file:
                file.write(f"# {number}\n")
            timings.append(deploy(site, tree))
            ui.good(f"{number + 1} of {times}: {timings[-1].work:.1f} s without the waits")
            load.wait(BETWEEN)
        return timings, ended(load)


def table(timings: Sequence[Timing]) -> Table:
    """Return each part with its median, its least and its most, in seconds."""
    made = Table(box=None, pad_edge=False)
    made.add_column("seconds")
    for name in ("median", "least", "most"):
        made.add_column(name, justify="right")
    rows = [timing.rows() for timing in timings]
    for name in rows[0]:
        values = [row.get(name, 0.0) for row in rows]
        made.add_row(name, *(f"{one:.1f}" for one in (median(values), min(values), max(values))))
    return made


def _machine(facts: Mapping[str, Any]) -> str:
    return f"{facts['cores']} cores of {facts['cpu']}, {facts['memory_gib']} GiB"


@click.command()
@click.argument("target", default=targets.DEFAULT, metavar="[TARGET]")
@click.option("--times", default=5, show_default=True, type=click.IntRange(1, 20))
@setting_options
def bench(target: str, times: int, **options: Any) -> None:
    """Measure how long a deploy of changed code takes under load, part by part.

    A deployment of its own is made and taken away; yours is not touched.

    \b
    Example:
      moor bench gunicorn
    """
    flags = values(options)
    yard = Yard(target, ROOT, os.environ, flags)
    yard.sweep()
    try:
        timings, report = measure(yard, times)
    finally:
        yard.close()
    ui.say(
        f"\n{yard.plain.target.column}: {times} deploys of changed code under load", style="bold"
    )
    ui.show(table(timings))
    ui.say(f"load: {report.summary()}")
    ui.say(f"{time.strftime('%Y-%m-%d', time.gmtime())}, {_machine(host.facts(target))}")
