"""What a run comes to: the figures, the table, the report."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from bench import stats
from bench.rounds import Series
from bench.stats import Figure
from bench.variants import BARE, CATALOGUE, CONTRIB, CONTRIB_FULL, FULL, TRACING, VIEW, Variant

_PACKAGES = (
    "Flask", "Werkzeug", "gunicorn", "gevent", "asgiref", "opentelemetry-sdk",
    "opentelemetry-instrumentation-flask", "prometheus-client", "SQLAlchemy",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A figure, what was wanted of it, and whether less is better."""

    id: str
    what: str
    figure: Figure
    wanted: float | None = None
    less: bool = True

    @property
    def is_met(self) -> bool | None:
        """Whether the median is where it should be; None where nothing was asked."""
        if self.wanted is None:
            return None
        value = self.figure.median
        return value <= self.wanted if self.less else value >= self.wanted

    @property
    def target(self) -> str:
        """What was wanted, as text."""
        return "" if self.wanted is None else f"{'<=' if self.less else '>='} {self.wanted:.2f}"


@dataclass
class Results:
    """All that was measured."""

    cpu: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    throughput: dict[tuple[str, str], Series] = field(default_factory=dict)
    p99: dict[str, tuple[Series, Series]] = field(default_factory=dict)

    def rows(self) -> list[Row]:
        """Return every figure of the issue that this run has measured, and those beside them."""
        rows = [row for workload in self.cpu for row in self._cpu_rows(workload)]
        rows += [row for key in self.throughput for row in self._throughput_rows(*key)]
        return rows + [row for worker in self.p99 for row in self._p99_rows(worker)]

    def _cpu_rows(self, workload: str) -> list[Row]:
        times = self.cpu[workload]
        end, is_view = ("", True) if workload == VIEW else ("_catalogue", False)

        def row(id: str, what: str, pair: tuple[Variant, Variant], wanted: float) -> Row:
            ours, theirs = (times[str(variant)] for variant in pair)
            share = stats.added(ours, theirs, times[BARE])
            return Row(f"{id}{end}", f"{what}, {workload}", share, wanted if is_view else None)

        sampled, not_sampled = (
            (Variant(TRACING, percent), Variant(CONTRIB, percent)) for percent in (100, 0)
        )
        return [
            row("tracing_cpu_sampled_vs_contrib", "CPU added by tracing, against contrib",
                sampled, 0.12),
            row("tracing_cpu_unsampled_vs_contrib", "CPU added by tracing, nothing sampled",
                not_sampled, 0.10),
            row("full_cpu_vs_contrib", "CPU added by span, metrics and line",
                (Variant(FULL), Variant(CONTRIB_FULL)), 0.12),
        ]  # fmt: skip

    def _throughput_rows(self, worker: str, workload: str) -> list[Row]:
        series = self.throughput[worker, workload]
        end = _ending(worker, workload)
        wanted = {("sync", VIEW): 0.90, ("gthread", VIEW): 0.80, ("sync", CATALOGUE): 0.92,
                  ("gthread", CATALOGUE): 0.92}.get((worker, workload))  # fmt: skip
        where = f"{worker}, {workload}"
        ours, theirs = str(Variant(FULL)), str(Variant(CONTRIB_FULL))
        rows = [
            Row(f"throughput_full_vs_bare{end}", f"requests/s against bare, {where}",
                series.vs_bare(ours), wanted, less=False),
            Row(f"throughput_full_vs_contrib{end}", f"requests/s against contrib, {where}",
                series.vs(ours, theirs), 1.6 if not end else None, less=False),
            Row(f"throughput_contrib_full_vs_bare{end}", f"contrib against bare, {where}",
                series.vs_bare(theirs), less=False),
        ]  # fmt: skip
        others = [name for name in series.values if name not in (ours, theirs)]
        return rows + [
            Row(f"throughput_{_id(name)}_vs_bare{end}", f"{name} against bare, {where}",
                series.vs_bare(name), less=False)
            for name in others
        ]  # fmt: skip

    def _p99_rows(self, worker: str) -> list[Row]:
        ours, end = str(Variant(FULL)), _ending(worker, VIEW)
        own, same = (series.vs_bare(ours) for series in self.p99[worker])
        return [
            Row(f"p99_full_vs_bare{end}", f"p99 at 70 % of what each can do, {worker}", own, 1.2),
            Row(f"p99_full_vs_bare_same_rate{end}", f"p99 of both at 70 % of bare's, {worker}",
                same),
        ]  # fmt: skip

    def report(self, about: Mapping[str, Any]) -> dict[str, Any]:
        """Return what goes into reports/bench.json."""
        rows = self.rows()
        return {
            **about,
            "ratios": {row.id: round(row.figure.median, 4) for row in rows},
            "figures": {row.id: {**row.figure.rounded(), "wanted": row.wanted, "met": row.is_met}
                        for row in rows},
            "cpu_us": {workload: {name: stats.figure(values).rounded(2)
                                  for name, values in times.items()}
                       for workload, times in self.cpu.items()},
            "requests_per_second": {
                f"{worker} {workload}": {
                    BARE: round(median([one for bare in series.bare.values() for one in bare]), 1),
                    **{name: round(median(values), 1) for name, values in series.values.items()},
                } for (worker, workload), series in self.throughput.items()},
        }  # fmt: skip


def _id(name: str) -> str:
    return name.replace(" %", "").replace("contrib+", "contrib_full").replace(" ", "_")


def _ending(worker: str, workload: str) -> str:
    """Return what tells a figure's name from that of the sync worker and the view."""
    parts = ["" if workload == VIEW else workload, "" if worker == "sync" else worker]
    return "".join(f"_{part}" for part in parts if part)


def about(rounds: int, quick: bool) -> dict[str, Any]:
    """Return when and where a run was made, and of what."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in cpuinfo if "model name" in line), "")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "rounds": rounds,
        "quick": quick,
        "machine": {"cpu": model or platform.machine(), "cores": os.cpu_count(),
                    "kernel": platform.release(), "load": [round(x, 2) for x in os.getloadavg()]},
        "versions": {"python": platform.python_version(),
                     **{name: version(name) for name in _PACKAGES}},
    }  # fmt: skip


def write(report: Mapping[str, Any], path: Path) -> None:
    """Write a report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
