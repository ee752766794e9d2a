"""The processes of a run: pinned to a core, ended with it, their last words kept."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
_PATIENCE = 10


@dataclass(frozen=True)
class Cores:
    """Who runs where: load and server never share a core."""

    server: int
    load: int


def cores() -> Cores:
    """Choose two cores of those that this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise click.ClickException("two cores are needed: one for the server, one for the load")
    return Cores(usable[-1], usable[0])


def environ(more: Mapping[str, str]) -> dict[str, str]:
    """Return a small environment of our own, so that nobody's OTEL_ variables are measured."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "service")])
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": path, "PYTHONHASHSEED": "0", **more}


@contextlib.contextmanager
def running(
    argv: list[str], core: int, env: Mapping[str, str], log: Path, **how: object
) -> Iterator[subprocess.Popen[str]]:
    """Run `argv` on one core until the end of the block, however it ends."""
    with log.open("a") as errors:
        process = subprocess.Popen(  # type: ignore[call-overload]
            argv, env=environ(env), cwd=ROOT, stderr=errors, text=True, start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}), **how,
        )  # fmt: skip
    try:
        yield process
    finally:
        end(process)


def end(process: "subprocess.Popen[str]") -> None:
    """Ask a process to end, and make it."""
    if process.stdin:
        with contextlib.suppress(OSError):
            process.stdin.close()
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()


@contextlib.contextmanager
def reader(core: int, log: Path) -> Iterator[int]:
    """Lend the descriptor of a log that somebody reads, as in life: a pipe to another process."""
    with running(["cat"], core, {}, log, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as cat:
        assert cat.stdin
        yield cat.stdin.fileno()


@contextlib.contextmanager
def collector(core: int, log: Path) -> Iterator[str]:
    """Run the sink, and lend its address."""
    argv = [sys.executable, "-m", "bench.sink"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with running(argv, core, {}, log, **pipes) as sink:
        assert sink.stdout
        yield f"http://127.0.0.1:{int(sink.stdout.readline())}"


def last_words(log: Path) -> str:
    """Return the end of what was said on stderr."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
