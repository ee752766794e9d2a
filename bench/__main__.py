"""`python -m bench`, in the environment that bench/run makes."""

import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from bench import cpu, pages, processes, report, rounds, servers
from bench.processes import ROOT
from bench.report import Results
from bench.rounds import Plan
from bench.variants import (
    CATALOGUE,
    CONTRIB,
    CONTRIB_FULL,
    FULL,
    IN_PROCESS,
    NAKED,
    ON_SERVERS,
    ON_SYNC,
    TRACING,
    VIEW,
    Variant,
)

_LEAST = 15
_EXAMPLE = """\b
Examples:
  make bench
  bench/run --quick
  bench/run --only cpu
  bench/run --only throughput --worker gthread
"""
_ON_CATALOGUE = (NAKED, *(Variant(kind) for kind in (TRACING, FULL, CONTRIB, CONTRIB_FULL)),
                 Variant(TRACING, 0), Variant(CONTRIB, 0))  # fmt: skip


@click.command(epilog=_EXAMPLE)
@click.option("--rounds", "count", default=_LEAST, show_default=True, help="Pairs of each figure.")
@click.option("--seconds", default=2, show_default=True, help="Load of each measurement.")
@click.option(
    "--only",
    type=click.Choice(["cpu", "throughput", "p99"]),
    multiple=True,
    help="A part, several times if wanted; all of them by default.",
)
@click.option(
    "--worker",
    type=click.Choice(servers.WORKERS),
    multiple=True,
    help="A class of workers; all of them by default.",
)
@click.option("--docs", is_flag=True, help="Write docs/bench.* too, as a whole run does.")
@click.option("--quick", is_flag=True, help="Three pairs of a second: to see that it works.")
def main(
    count: int, seconds: int, only: Sequence[str], worker: Sequence[str], docs: bool, quick: bool
) -> None:  # fmt: skip
    """Measure what traces, metrics and log lines cost, against bare Flask and against
    OpenTelemetry's own Flask instrumentation.

    Writes reports/bench.json and reports/bench.svg; a whole run also docs/bench.md and
    docs/bench.svg. Run it on a machine that does nothing else.
    """
    if quick:
        count, seconds = 3, 1
    whole = docs or (not (quick or only or worker) and count >= _LEAST)
    console = Console(highlight=False)
    about = report.about(count, quick)
    with tempfile.TemporaryDirectory(prefix="moorings-bench-") as place:
        found = _measure(Path(place), only or ("cpu", "throughput", "p99"),
                         worker or servers.WORKERS, (count, seconds))  # fmt: skip
    rows, made = found.rows(), found.report(about)
    console.print(pages.table(rows))
    if found.cpu:
        console.print(pages.times(made))
    _write(found, made, whole)


def _measure(
    place: Path, parts: Sequence[str], workers: Sequence[str], size: tuple[int, int]
) -> Results:
    cores, found = processes.cores(), Results()
    store = cpu.store(place, cores)
    if "cpu" in parts:
        for workload, variants in ((VIEW, IN_PROCESS), (CATALOGUE, _ON_CATALOGUE)):
            found.cpu[workload] = cpu.measure(
                workload, variants, size[0], place, cores, store, _say
            )
    for worker in workers:
        for workload in (VIEW, CATALOGUE):
            every = ON_SYNC if (worker, workload) == ("sync", VIEW) else ON_SERVERS
            if "throughput" in parts:
                plan = Plan(worker, workload, every, *size, place, cores, store, _say)
                found.throughput[worker, workload] = rounds.throughput(plan)
        if "p99" in parts:
            plan = Plan(worker, VIEW, (Variant(FULL),), *size, place, cores, store, _say)
            found.p99[worker] = rounds.latency(plan)
    return found


def _write(found: Results, made: dict[str, object], whole: bool) -> None:
    report.write(made, ROOT / "reports" / "bench.json")
    click.echo("wrote reports/bench.json")
    if not found.cpu:
        return
    pages.picture(made, ROOT / "reports" / "bench.svg")
    click.echo("wrote reports/bench.svg")
    if whole:
        page = ROOT / "docs" / "bench.md"
        page.write_text(pages.page(found.rows(), made, page.read_text()))
        pages.picture(made, ROOT / "docs" / "bench.svg")
        click.echo("wrote docs/bench.md and docs/bench.svg")


def _stop(_signal: int, _frame: object) -> None:
    """End as by Ctrl-C: what was started is ended with it."""
    raise KeyboardInterrupt


def _say(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(main())
