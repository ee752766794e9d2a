"""Servers compared: each measurement stands between two of bare Flask."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import load, processes, servers, stats
from bench.processes import Cores
from bench.variants import NAKED, Variant

#: New servers for a part of the rounds each: what one start came to is not taken for the rule.
STARTS = 3
_SHARE = 0.7
Say = Callable[[str], None]


@dataclass
class Series:
    """Measurements by variant, and what bare was worth beside each of them."""

    values: dict[str, list[float]] = field(default_factory=dict)
    bare: dict[str, list[float]] = field(default_factory=dict)

    def add(self, variant: str, value: float, bare: float) -> None:
        """Add a pair."""
        self.values.setdefault(variant, []).append(value)
        self.bare.setdefault(variant, []).append(bare)

    def vs_bare(self, variant: str) -> stats.Figure:
        """Return a variant against bare."""
        return stats.ratios(self.values[variant], self.bare[variant])

    def vs(self, ours: str, theirs: str) -> stats.Figure:
        """Return one variant against another, each against the bare beside it."""
        one = zip(self.values[ours], self.bare[ours], strict=True)
        other = zip(self.values[theirs], self.bare[theirs], strict=True)
        return stats.ratios([a / b for a, b in one], [a / b for a, b in other])


@dataclass(frozen=True)
class Plan:
    """What is measured on one class of workers, and how long."""

    worker: str
    workload: str
    variants: Sequence[Variant]
    rounds: int
    seconds: int
    place: Path
    cores: Cores
    store: dict[str, str]
    say: Say


def throughput(plan: Plan) -> Series:
    """Return requests a second at full load."""
    series = Series()
    for start in range(STARTS):
        with _started(plan) as urls:
            measure = _Most(urls, plan)
            for name in urls:
                measure(name)  # each has to warm up
            for number in _part(plan.rounds, start):
                plan.say(
                    f"throughput, {plan.worker}, {plan.workload}: round {number} of {plan.rounds}"
                )
                _bracket(series, list(urls), measure)
    return series


def latency(plan: Plan) -> tuple[Series, Series]:
    """Return 99th percentiles at 70 % of what each server can do, and of what bare can."""
    own, same = Series(), Series()
    for start in range(STARTS):
        with _started(plan) as urls:
            most = {name: load.most(url, plan.seconds, plan.cores.load)
                    for name, url in urls.items()}  # fmt: skip
            bare = dict.fromkeys(urls, most[str(NAKED)])
            for number in _part(plan.rounds, start):
                plan.say(f"p99, {plan.worker}, {plan.workload}: round {number} of {plan.rounds}")
                _bracket(own, list(urls), _Slowest(urls, most, plan))
                _bracket(same, list(urls), _Slowest(urls, bare, plan))
    return own, same


@dataclass(frozen=True)
class _Slowest:
    urls: dict[str, str]
    most: dict[str, float]
    plan: Plan

    def __call__(self, name: str) -> float:
        rate, core = _SHARE * self.most[name], self.plan.cores.load
        return load.slowest(self.urls[name], rate, self.plan.seconds, core)


@dataclass(frozen=True)
class _Most:
    urls: dict[str, str]
    plan: Plan

    def __call__(self, name: str) -> float:
        return load.most(self.urls[name], self.plan.seconds, self.plan.cores.load)


def _bracket(series: Series, names: list[str], measure: Callable[[str], float]) -> None:
    others = [name for name in names if name != str(NAKED)]
    before = measure(str(NAKED))
    for name in others:
        value = measure(name)
        after = measure(str(NAKED))
        series.add(name, value, (before + after) / 2)
        before = after


def _part(rounds: int, start: int) -> range:
    """Return the numbers of the rounds that a start is good for."""
    return range(start * rounds // STARTS + 1, (start + 1) * rounds // STARTS + 1)


@contextlib.contextmanager
def _started(plan: Plan) -> Iterator[dict[str, str]]:
    with contextlib.ExitStack() as stack:
        sink = processes.collector(plan.cores.load, plan.place / "sink.log")
        collector = stack.enter_context(sink)
        urls = {}
        for variant in (NAKED, *plan.variants):
            env = {**plan.store, **variant.environ(plan.workload, collector)}
            urls[str(variant)] = stack.enter_context(
                servers.server(variant, plan.worker, plan.workload, plan.place, plan.cores, env)
            )
        yield urls
