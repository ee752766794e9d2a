"""What a server can do, by wrk, and how long it takes at a part of that."""

import json
import re
import subprocess
import sys

import click

from bench import processes

_CONNECTIONS = 8
_RATE = re.compile(r"^Requests/sec:\s+([\d.]+)", re.MULTILINE)
_FAILED = re.compile(r"^\s*(Non-2xx.*|Socket errors: .*)$", re.MULTILINE)


def most(url: str, seconds: int, core: int) -> float:
    """Return requests a second of a server that has all it can do."""
    argv = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", url]
    said = _run(argv, seconds)
    rate, failed = _RATE.search(said), _FAILED.search(said)
    # wrk counts a connection that a server without keep-alive closes as no error.
    if failed or not rate or not float(rate[1]):
        raise click.ClickException(f"wrk: {failed[0].strip() if failed else said}")
    return float(rate[1])


def slowest(url: str, rate: float, seconds: int, core: int) -> float:
    """Return the 99th percentile in milliseconds at `rate` requests a second."""
    argv = ["taskset", "-c", str(core), sys.executable, "-m", "bench.steady", url,
            f"{rate:.1f}", str(seconds)]  # fmt: skip
    answer = json.loads(_run(argv, seconds))
    if answer["failed"]:
        raise click.ClickException(f"{answer['failed']} requests failed at {rate:.0f}/s: {url}")
    return float(answer["p99_ms"])


def _run(argv: list[str], seconds: int) -> str:
    ran = subprocess.run(
        argv, capture_output=True, text=True, timeout=seconds + 60, env=processes.environ({}),
        cwd=processes.ROOT, check=False,
    )  # fmt: skip
    if ran.returncode:
        raise click.ClickException(f"{argv[3]}: {(ran.stderr or ran.stdout).strip()}")
    return ran.stdout
