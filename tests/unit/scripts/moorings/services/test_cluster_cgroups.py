"""Cgroups of both versions, on folders that look like the kernel's."""

from pathlib import Path

import pytest

from moorings.errors import NotReadyError
from moorings.services.cluster_cgroups import CONTROLLERS, Cgroups
from moorings.services.cluster_needs import blocked


@pytest.fixture
def first(tmp_path: Path) -> Cgroups:
    """Version 1: a hierarchy for each controller, and cpuset, which starts with none."""
    for name in CONTROLLERS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    (tmp_path / "cpuacct").symlink_to(tmp_path / "cpu")
    for name in ("cpuset.cpus", "cpuset.mems"):
        (tmp_path / "cpuset" / name).write_text("0-1\n")
    return Cgroups("moor-1", tmp_path)


@pytest.fixture
def second(tmp_path: Path) -> Cgroups:
    """Version 2: one hierarchy, which offers controllers to those below."""
    (tmp_path / "cgroup.procs").touch()
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids rdma\n")
    return Cgroups("moor-1", tmp_path)


def test_version_1_has_one_in_each_hierarchy(first: Cgroups) -> None:
    assert first.lacking() == []
    first.make()
    assert [one.name for one in first.roots()] == sorted(CONTROLLERS)
    assert len(first.folders()) == 2 * len(CONTROLLERS)
    first.enter()
    written = [root / "moor-1" / "node" / "cgroup.procs" for root in first.roots()]
    assert [file.read_text() for file in written] == ["0"] * len(CONTROLLERS)


def test_version_1_inherits_processors_on_each_level(first: Cgroups) -> None:
    for folder in ("moor-1", "moor-1/node"):
        (first.top / "cpuset" / folder).mkdir()
        for name in ("cpuset.cpus", "cpuset.mems"):
            (first.top / "cpuset" / folder / name).touch()
    first.make()
    assert (first.top / "cpuset" / "moor-1" / "node" / "cpuset.mems").read_text() == "0-1\n"


def test_version_2_offers_what_the_kubelet_asks_for(second: Cgroups) -> None:
    """It refuses a cgroup without a controller that the top has, of those that it knows."""
    assert second.lacking() == []
    second.make()
    assert second.roots() == [second.top]
    enabled = (second.top / "cgroup.subtree_control").read_text()
    assert enabled == "+cpuset +cpu +io +memory +hugetlb +pids"
    assert (second.top / "moor-1" / "node").is_dir()


def test_a_controller_that_is_missing_is_named(first: Cgroups) -> None:
    (first.top / "pids" / "cgroup.procs").unlink()
    assert first.lacking() == ["pids"]
    assert blocked(first) == "this machine offers no cgroup of: pids"


def test_where_none_may_be_made_it_says_why(second: Cgroups) -> None:
    # The kernel refuses to offer what processes of the same level use.
    (second.top / "cgroup.subtree_control").mkdir()
    assert blocked(second).startswith("cgroups may not be made here: ")
    assert second.folders() == []


def test_all_of_them_are_removed(first: Cgroups) -> None:
    first.make()
    (first.top / "cpu" / "moor-1" / "kubepods" / "pod1").mkdir(parents=True)
    first.remove(timeout=1)
    assert first.folders() == []
    first.remove(timeout=1)


def test_one_in_use_is_named(first: Cgroups) -> None:
    first.make()
    # A folder with a file cannot be removed either.
    (first.top / "cpu" / "moor-1" / "node" / "held").touch()
    with pytest.raises(NotReadyError, match=r"the cgroup moor-1 to be empty.*cpu/moor-1/node"):
        first.remove(timeout=0.3)
