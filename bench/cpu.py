"""CPU time of a request in one process, server and network left out."""

import contextlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import click

from bench import processes
from bench.processes import Cores
from bench.variants import CATALOGUE, PATHS, Variant

#: Turns of a round, and requests of a turn. The shorter a turn, the more alike is what the rest of
#: the machine does meanwhile; of a whole round no more spans wait than the queue has room for.
_TURNS = 10
_REQUESTS = {"view": 60, "catalogue": 15}
_ROOM = "8192"
Say = Callable[[str], None]


@dataclass
class Child:
    """One variant in a process of its own."""

    process: "subprocess.Popen[str]"
    answers: IO[str]
    log: Path
    spent: float = 0.0
    rounds: list[float] = field(default_factory=list)
    """Seconds of CPU a request."""

    def turn(self, count: int) -> float:
        """Run `count` requests; returns the CPU seconds that it has taken so far."""
        assert self.process.stdin
        try:
            self.process.stdin.write(f"{count}\n")
            self.process.stdin.flush()
            return float(json.loads(self.answers.readline()))
        except (OSError, ValueError):
            raise click.ClickException(
                f"a turn failed:\n{processes.last_words(self.log)}"
            ) from None

    def end_round(self, requests: int) -> None:
        """Send what waits, which is a part of the cost, and note what the round took."""
        spent = self.turn(0)
        self.rounds.append((spent - self.spent) / requests)
        self.spent = spent


@contextlib.contextmanager
def child(
    variant: Variant, workload: str, place: Path, cores: Cores, env: dict[str, str]
) -> Iterator[Child]:
    """Start the process of a variant."""
    log = place / f"{workload}-{variant}.log"
    ours, theirs = os.pipe()
    metrics = place / f"metrics-{workload}-{variant}"
    more = {
        **env, "BENCH_ANSWERS": str(theirs), "BENCH_PATH": PATHS[workload],
        "METRICS_DIR": str(metrics), "OTEL_BSP_MAX_QUEUE_SIZE": _ROOM,
    }  # fmt: skip
    with open(ours) as answers, processes.reader(cores.load, log) as stdout:
        pipes = {"stdin": subprocess.PIPE, "stdout": stdout, "pass_fds": [theirs]}
        argv = [sys.executable, "-m", "bench.blocks"]
        with processes.running(argv, cores.server, more, log, **pipes) as process:
            os.close(theirs)
            yield Child(process, answers, log)


def measure(
    workload: str, variants: Sequence[Variant], rounds: int, place: Path, cores: Cores,
    store: dict[str, str], say: Say,
) -> dict[str, list[float]]:  # fmt: skip
    """Return microseconds of CPU a request by variant, a value a round.

    In each round every variant has its turns, in an order of their own: what makes the machine
    slower for a while makes it so for all.
    """
    with contextlib.ExitStack() as stack:
        collector = stack.enter_context(processes.collector(cores.load, place / "sink.log"))
        children = {}
        for variant in variants:
            env = {**store, **variant.environ(workload, collector)}
            children[str(variant)] = stack.enter_context(
                child(variant, workload, place, cores, env)
            )
        order = random.Random(1)
        for number in range(rounds + 1):
            say(f"CPU, {workload}: " + (f"round {number} of {rounds}" if number else "warming up"))
            _round(children, _REQUESTS[workload], order)
        return {name: [value * 1e6 for value in one.rounds[1:]] for name, one in children.items()}


def _round(children: dict[str, Child], requests: int, order: random.Random) -> None:
    for _ in range(_TURNS):
        for name in order.sample(sorted(children), len(children)):
            children[name].turn(requests)
    for one in children.values():
        one.end_round(_TURNS * requests)


def store(place: Path, cores: Cores) -> dict[str, str]:
    """Make the store's database; returns the variables that name it."""
    env = {"DATA_DIR": str(place), "SECRET_KEY": os.urandom(16).hex()}
    log = place / f"{CATALOGUE}.log"
    argv = [sys.executable, "-m", "store.migrate"]
    with processes.running(argv, cores.server, env, log, stdout=subprocess.DEVNULL) as made:
        if made.wait(60):
            raise click.ClickException(f"the store has no database:\n{processes.last_words(log)}")
    return env
