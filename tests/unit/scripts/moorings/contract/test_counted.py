"""What a worker has counted is read after its end, and after its folder has gone."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key

from moorings.contract.counted import Counted, values

#: A worker that counts as the runtime does, and goes on when it is told to.
WORKER = """
import sys
from prometheus_client import Histogram
name, labels = "http_server_request_duration_seconds", ("http_route",)
asked = Histogram(name, "Time.", labels, buckets=(0.01, 0.1))
for seconds in (0.001, 0.05, 7):
    asked.labels("/_probe/sleep/<seconds>").observe(seconds)
asked.labels("/other").observe(0.001)
print("counted", flush=True)
sys.stdin.readline()
asked.labels("/_probe/sleep/<seconds>").observe(0.02)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "metrics"
    made.mkdir()
    return made


@pytest.fixture
def worker(folder: Path) -> Iterator[subprocess.Popen[str]]:
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-c", WORKER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environ, **pipes) as made:  # type: ignore[call-overload]
        assert made.stdout.readline() == "counted\n"
        yield made
        made.kill()


def test_the_last_requests_of_a_worker_are_in_its_sum(
    worker: subprocess.Popen[str], folder: Path
) -> None:
    with ExitStack() as stack:
        found = Counted(stack, [worker.pid])
        assert found.requests() == 3
        worker.communicate("go on\n", timeout=10)
        shutil.rmtree(folder)
        assert found.requests() == 4


def test_those_that_ended_before_are_counted_with_them(
    worker: subprocess.Popen[str], folder: Path
) -> None:
    shutil.copy(next(folder.glob("histogram_*.db")), folder / "histogram_0.db")
    with ExitStack() as stack:
        # Both say the same folder: no file counts twice.
        assert Counted(stack, [worker.pid, worker.pid]).requests() == 6


def test_a_process_that_counts_nothing_has_no_sum() -> None:
    with ExitStack() as stack:
        assert Counted(stack, [os.getpid()]).requests() == 0


def test_keys_of_every_length_are_read(tmp_path: Path) -> None:
    file = tmp_path / "histogram_1.db"
    written = MmapedDict(str(file))  # type: ignore[no-untyped-call]
    expected = {mmap_key("n", "n", ["l"], ["é" * size], ""): size / 8 for size in range(1, 99)}
    for key, value in expected.items():
        written.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
    written.close()  # type: ignore[no-untyped-call]
    assert dict(values(file.read_bytes())) == expected
