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

#: Requests of a block: fewer spans than a queue has room for, so that none is dropped unmeasured.
_BLOCK = {"view": 500, "catalogue": 150}
_ROOM = "8192"
Say = Callable[[str], None]


@dataclass
class Child:
    """One variant in a process of its own."""

    process: "subprocess.Popen[str]"
    answers: IO[str]
    log: Path
    seconds: list[float] = field(default_factory=list)

    def block(self, count: int) -> float:
        """Run `count` requests; returns seconds of CPU a request."""
        assert self.process.stdin
        try:
            self.process.stdin.write(f"{count}\n")
            self.process.stdin.flush()
            return float(json.loads(self.answers.readline()))
        except (OSError, ValueError):
            raise click.ClickException(
                f"a block failed:\n{processes.last_words(self.log)}"
            ) from None


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

    In each round every variant has its turn, in an order of its own: what makes the machine slower
    for a while makes it so for all.
    """
    with contextlib.ExitStack() as stack:
        collector = stack.enter_context(processes.collector(cores.load, place / "sink.log"))
        children = {}
        for variant in variants:
            env = {**store, **variant.environ(workload, collector)}
            children[str(variant)] = stack.enter_context(
                child(variant, workload, place, cores, env)
            )
        _warm(children, workload)
        order = random.Random(1)
        for number in range(rounds):
            say(f"CPU, {workload}: round {number + 1} of {rounds}")
            for name in order.sample(sorted(children), len(children)):
                one = children[name]
                one.seconds.append(one.block(_BLOCK[workload]))
        return {name: [value * 1e6 for value in one.seconds] for name, one in children.items()}


def _warm(children: dict[str, Child], workload: str) -> None:
    for one in children.values():
        one.block(_BLOCK[workload])


def store(place: Path, cores: Cores) -> dict[str, str]:
    """Make the store's database; returns the variables that name it."""
    env = {"DATA_DIR": str(place), "SECRET_KEY": os.urandom(16).hex()}
    log = place / f"{CATALOGUE}.log"
    argv = [sys.executable, "-m", "store.migrate"]
    with processes.running(argv, cores.server, env, log, stdout=subprocess.DEVNULL) as made:
        if made.wait(60):
            raise click.ClickException(f"the store has no database:\n{processes.last_words(log)}")
    return env
