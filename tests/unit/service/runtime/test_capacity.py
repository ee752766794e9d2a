"""The number of workers follows what limits the process, wherever that is said."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime import capacity
from runtime.capacity import measure

V1 = """\
5:memory:/box
4:cpu,cpuacct:/slice/box
1:name=systemd:/
0::/
"""
V1_MOUNTS = """\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
36 31 0:33 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
"""
V2_MOUNT = "30 23 0:26 {top} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
MIB = 2**20


def tree(root: Path, cgroup: str, mounts: str, files: dict[str, str]) -> Path:
    told = {"proc/self/cgroup": cgroup, "proc/self/mountinfo": mounts}
    below = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in {**told, **below}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def v2(root: Path, files: dict[str, str], path: str = "/slice/box", top: str = "/") -> Path:
    return tree(root, f"0::{path}\n", V2_MOUNT.format(top=top), files)


def test_without_a_limit_the_hosts_count_is_not_taken(tmp_path: Path) -> None:
    root = v2(tmp_path, {"slice/box/cpu.max": "max 100000", "slice/box/memory.max": "max"})
    assert measure(root, 64, 64).workers == 2
    assert measure(tmp_path / "nothing", 64, 64).workers == 2


def test_the_smallest_quota_along_the_path_counts(tmp_path: Path) -> None:
    files = {"slice/cpu.max": "300000 100000", "slice/box/cpu.max": "800000 100000"}
    found = measure(v2(tmp_path, files), 64, 64)
    assert (found.workers, found.why) == (3, "3 CPUs by the cgroup")


@pytest.mark.parametrize(("quota", "workers"), [("50000", 1), ("100000", 1), ("150000", 2)])
def test_a_part_of_a_cpu_is_used_by_one_more(tmp_path: Path, quota: str, workers: int) -> None:
    root = v2(tmp_path, {"slice/box/cpu.max": f"{quota} 100000"})
    assert measure(root, 64, 64).workers == workers


def test_cgroup_v1_says_it_in_two_files(tmp_path: Path) -> None:
    files = {
        "cpu,cpuacct/slice/box/cpu.cfs_quota_us": "-1",
        "cpu,cpuacct/slice/box/cpu.cfs_period_us": "100000",
        "cpu,cpuacct/slice/cpu.cfs_quota_us": "200000",
        "cpu,cpuacct/slice/cpu.cfs_period_us": "50000",
        "memory/box/memory.limit_in_bytes": "9223372036854771712",
    }
    found = measure(tree(tmp_path, V1, V1_MOUNTS, files), 64, 64)
    assert (found.workers, found.why) == (4, "4 CPUs by the cgroup")


def test_memory_limits_too(tmp_path: Path) -> None:
    limits = {"slice/box/cpu.max": "800000 100000", "slice/box/memory.max": str(512 * MIB)}
    found = measure(v2(tmp_path, limits), 64, 64)
    assert (found.workers, found.why) == (3, "512 MiB of memory by the cgroup")
    (tmp_path / "sys/fs/cgroup/slice/box/memory.max").write_text(str(64 * MIB))
    assert measure(tmp_path, 64, 64).workers == 1


def test_a_container_sees_its_own_part(tmp_path: Path) -> None:
    root = v2(tmp_path, {"cpu.max": "500000 100000"}, path="/docker/abc", top="/docker/abc")
    assert measure(root, 64, 64).workers == 5


def test_cpus_that_are_not_allowed_do_not_count(tmp_path: Path) -> None:
    found = measure(v2(tmp_path, {"cpu.max": "500000 100000"}, path="/"), 1, 64)
    assert (found.workers, found.why) == (1, "1 CPU that it may run on")


@pytest.fixture
def group() -> Iterator[Path]:
    """A real cgroup of this machine's, below the one that the tests run in."""
    for parent in capacity._folders(Path("/"), "cpu"):
        made = parent / f"moorings-test-{os.getpid()}"
        try:
            made.mkdir()
        except OSError:
            continue
        if (made / "cpu.max").exists() or (made / "cpu.cfs_quota_us").exists():
            yield made
            made.rmdir()
            return
        made.rmdir()
    pytest.skip("no cgroup with a quota of CPUs can be made here")


def test_a_real_cgroup_is_read(group: Path) -> None:
    if (group / "cpu.max").exists():
        (group / "cpu.max").write_text("50000 100000")
    else:
        (group / "cpu.cfs_quota_us").write_text("50000")
    enter = f"import os; open({str(group / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))"
    run = f"{enter}; os.execv({sys.executable!r}, ['python', '-I', {capacity.__file__!r}])"
    said = subprocess.run([sys.executable, "-c", run], capture_output=True, check=True, timeout=20)
    assert json.loads(said.stdout) == {"workers": 1, "why": "0.5 CPUs by the cgroup"}
