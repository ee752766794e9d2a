"""Requests are counted exactly: by many threads, in a file that grows, as prometheus does."""

import subprocess
import sys
from pathlib import Path

import pytest

# A process of its own: prometheus_client learns of its folder when it is imported.
_COUNT = """
import sys, threading
from pathlib import Path
from runtime.metrics import BOUNDS, Metrics
from runtime.settings import Settings

folder, own = sys.argv[1:]
metrics = Metrics(Settings(metrics_dir=Path(folder)))

def work(thread):
    for number in range(400):
        metrics.begin()
        seconds = (*BOUNDS, 99.0)[number % 15] * (1 if number % 2 else 0.9)
        route = f"/{number % 100}/{'x' * 300}"
        if own:
            metrics.end(("GET", "http", route, 200, ""), seconds)
        else:
            metrics.duration.labels("GET", "http", route, "200", "").observe(seconds)
            metrics.active.dec()
    if thread == 0:
        metrics.begin()

sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert metrics.active._value.get() == 1
text = metrics.render()[0].decode()
print("\\n".join(line for line in text.splitlines() if line.startswith("http_")))
"""


def _count(folder: Path, own: str) -> list[tuple[str, float]]:
    argv = [sys.executable, "-c", _COUNT, str(folder), own]
    env = {"PYTHONPATH": str(Path(__file__).parents[4] / "service")}
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=env)
    assert ran.returncode == 0, ran.stderr
    lines = [line.rpartition(" ") for line in ran.stdout.splitlines()]
    return sorted((name, float(value)) for name, _, value in lines)


def test_threads_count_exactly_what_prometheus_counts(tmp_path: Path) -> None:
    ours, theirs = _count(tmp_path / "ours", "1"), _count(tmp_path / "theirs", "")
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    # Sums are of floats, in the order of the threads.
    assert [value for _, value in ours] == pytest.approx([value for _, value in theirs])
    counts = [value for name, value in ours if "_count{" in name]
    assert sum(counts) == 4 * 400
    assert ("http_server_active_requests", 1.0) in ours
