"""The files of the workers' metrics: written by processes that end, read by those that live."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from runtime import sums

COUNTS = """
import sys
from prometheus_client import Counter, Gauge, Histogram
Counter("asked", "Help.", ["route"]).labels("/").inc(float(sys.argv[1]))
Histogram("took", "Help.", buckets=(1, 2)).observe(float(sys.argv[1]))
Gauge("running", "Help.", multiprocess_mode="livesum").inc()
Gauge("highest", "Help.", multiprocess_mode="max").set(float(sys.argv[1]))
Gauge("newest", "Help.", multiprocess_mode="mostrecent").set(float(sys.argv[1]))
Gauge("each", "Help.").set(1)
"""


def work(folder: Path, number: float) -> None:
    """Count in a process that ends."""
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    argv = [sys.executable, "-c", COUNTS, str(number)]
    subprocess.run(argv, env=environ, check=True, timeout=60)


def read(folder: Path) -> dict[str, float]:
    found = MultiProcessCollector.merge(sums.of_the_living(folder))
    return {
        sample.name + str(sample.labels.get("le", "")): sample.value
        for family in found
        for sample in family.samples
    }


def test_what_ended_is_added_up_and_its_files_go(tmp_path: Path) -> None:
    for number in (0.5, 3.0, 1.5):
        work(tmp_path, number)
        before = {name: value for name, value in read(tmp_path).items() if name != "each"}
        sums.settle(tmp_path)
        assert read(tmp_path) == before
        kinds = {"counter", "histogram", "gauge_max", "gauge_mostrecent"}
        assert {file.name for file in tmp_path.glob("*.db")} == {f"{kind}_0.db" for kind in kinds}
    assert before == {
        "asked_total": 5.0, "took_sum": 5.0, "took_count": 3.0, "took_bucket1.0": 1.0,
        "took_bucket2.0": 2.0, "took_bucket+Inf": 3.0, "highest": 3.0, "newest": 1.5,
    }  # fmt: skip


def test_those_of_the_living_stay(tmp_path: Path) -> None:
    mine = tmp_path / f"gauge_livesum_{os.getpid()}.db"
    values = MmapedDict(str(mine))
    values.write_value(mmap_key("running", "running", [], [], "Help."), 2.0, 0.0)
    values.close()
    sums.settle(tmp_path)
    assert read(tmp_path) == {"running": 2.0}


def test_a_lock_that_is_held_is_not_waited_for_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sums, "_PATIENCE", 0.05)
    with sums.locked(tmp_path, fcntl.LOCK_EX), sums.locked(tmp_path, fcntl.LOCK_SH):
        pass


def test_nothing_is_added_up_while_another_worker_may_do_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sums, "_PATIENCE", 0.05)
    work(tmp_path, 1)
    left = {file.name for file in tmp_path.glob("*.db")}
    with sums.locked(tmp_path, fcntl.LOCK_EX):
        sums.settle(tmp_path)
    assert {file.name for file in tmp_path.glob("*.db")} == left
    sums.settle(tmp_path)
    assert {file.name for file in tmp_path.glob("*.db")} != left
