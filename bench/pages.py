"""The same as people read it: a table on the terminal and in docs/bench.md, and a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.report import Row

_BEGIN, _END = "<!-- made by `make bench` -->\n", "<!-- end -->\n"
_MARK = {None: "", True: "yes", False: "**no**"}


def table(rows: Sequence[Row]) -> Table:
    """Return the table for a terminal."""
    made = Table("figure", "median", "95 % interval", "reach", "reached")
    for row in rows:
        made.add_row(*_cells(row))
    return made


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    figure = row.figure
    interval = f"{figure.low:.3f} to {figure.high:.3f}"
    return row.what, f"{figure.median:.3f}", interval, row.target, _MARK[row.is_met]


def times(report: Mapping[str, Any]) -> Table:
    """Return the CPU times of a request for a terminal."""
    made = Table("CPU a request, µs", *report["cpu_us"])
    for name, cells in _cpu_rows(report):
        made.add_row(name, *cells)
    return made


def page(rows: Sequence[Row], report: Mapping[str, Any], old: str) -> str:
    """Return docs/bench.md with the tables of this run in place of the last one's."""
    before, _, rest = old.partition(_BEGIN)
    after = rest.partition(_END)[2]
    return f"{before}{_BEGIN}{_origin(report)}\n{_markdown(rows)}\n{_cpu(report)}{_END}{after}"


def _origin(report: Mapping[str, Any]) -> str:
    machine, versions = report["machine"], report["versions"]
    named = ", ".join(f"{name} {number}" for name, number in versions.items())
    return (
        f"{report['date'][:10]}, {machine['cores']} cores of {machine['cpu']}, kernel "
        f"{machine['kernel']}, {report['rounds']} pairs.\n{named}.\n"
    )


def _markdown(rows: Sequence[Row]) -> str:
    head = (
        "| figure | median | 95 % interval | reach | reached |\n| --- | --- | --- | --- | --- |\n"
    )
    return head + "".join(f"| {' | '.join(_cells(row))} |\n" for row in rows)


def _cpu(report: Mapping[str, Any]) -> str:
    columns = report["cpu_us"]
    head = f"| CPU a request, µs | {' | '.join(columns)} |\n| --- |{' --- |' * len(columns)}\n"
    rows = (f"| {name} | {' | '.join(cells)} |\n" for name, cells in _cpu_rows(report))
    return head + "".join(rows)


def _cpu_rows(report: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    columns = report["cpu_us"].values()
    names = dict.fromkeys(name for column in columns for name in column)
    return [(name, [_median(column.get(name)) for column in columns]) for name in names]


def _median(figure: Mapping[str, float] | None) -> str:
    return f"{figure['median']:.1f}" if figure else ""


def picture(report: Mapping[str, Any], path: Path) -> None:
    """Draw what each way adds to a request, and what is left of the throughput."""
    import matplotlib

    matplotlib.use("svg")
    # The same figures give the same file, and texts stay texts.
    matplotlib.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none"})
    from matplotlib import pyplot

    panels = {"CPU added to a request of 1 KiB JSON, µs": _added(report)}
    if report["requests_per_second"]:
        panels["requests/s, share of bare Flask"] = _left(report)
    size = (5.5 * len(panels), 4.2)
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=size, layout="constrained", squeeze=False
    )
    for one, (title, values) in zip(axes[0], panels.items(), strict=True):
        _bars(one, values, title)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _bars(axes: Any, values: Mapping[str, float], title: str) -> None:
    drawn = axes.barh(list(values), list(values.values()), color=[
        "#c44e52" if "contrib" in name else "#2f6f9f" for name in values
    ])  # fmt: skip
    axes.bar_label(drawn, fmt="%.3g", padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def _added(report: Mapping[str, Any]) -> dict[str, float]:
    times = dict(report["cpu_us"]["view"])
    bare = times.pop("bare")["median"]
    return {name: figure["median"] - bare for name, figure in times.items()}


def _left(report: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    for where, rates in report["requests_per_second"].items():
        for name in ("full 100 %", "contrib+ 100 %"):
            found[f"{name}, {where}"] = rates[name] / rates["bare"]
    return found
