"""A cluster comes up, serves what clusters serve, and leaves nothing of itself on the machine."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.journeys.conftest import ROOT, Operator

from moorings import cluster, deployment, probe
from moorings.runner import LocalRunner
from moorings.services import cluster_needs
from moorings.services.cluster import Cluster
from moorings.services.cluster_plan import KERNEL

#: Where the programs would keep things if the node had no folders of its own.
PLACES = ("/etc/cni", "/etc/kubernetes", "/opt", "/run/containerd", "/run/moorings", "/run/netns",
          "/usr/libexec/kubernetes", "/var/lib/cni", "/var/lib/containerd", "/var/lib/etcd",
          "/var/lib/kubelet", "/var/lib/volumes", "/var/log/containers",
          "/var/log/pods")  # fmt: skip

#: A pod as `restricted` wants it, with a volume of the default class.
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "writer"},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1234, "fsGroup": 2345,
                            "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": "writer",
            "image": "localhost/busybox:1",
            "command": ["sh", "-c", "echo kept > /data/file && sleep 3600"],
            "readinessProbe": {"exec": {"command": ["cat", "/data/file"]}, "periodSeconds": 1},
            "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        }],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    },
}  # fmt: skip

CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}},
}


@pytest.fixture(scope="module", autouse=True)
def hosted() -> None:
    """Leave these tests out where the machine cannot host a cluster; CI has no such case."""
    lacks = [need for need in cluster_needs.needs() if not need.there and not need.packages]
    if lacks and not os.environ.get("CI"):
        pytest.skip(f"{lacks[0].what}: {lacks[0].how}")


@pytest.fixture
def operators() -> Iterator[list[Operator]]:
    """Two operators, whose clusters are gone after the test."""
    both = [Operator(f"cluster-{os.getpid()}-{number}") for number in (1, 2)]
    yield both
    for one in both:
        assert one.types("cluster", "down").returncode == 0


def of(operator: Operator) -> Cluster:
    """Return the cluster of an operator."""
    flags = {"deployment.name": operator.name}
    layout = deployment.open(ROOT, os.environ, flags, "gunicorn", looks_only=True).layout
    return cluster.of(layout, LocalRunner())


def left(made: Cluster) -> dict[str, object]:
    """Return what there is on the machine that a cluster could have put there."""
    links = [Path(link).name for link in Path("/sys/class/net").iterdir()]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return {
        "cgroups": [str(one) for one in made.cgroups.folders()],
        "folder": made.home.exists(),
        "kernel": {name: Path("/proc/sys", name).read_text() for name in KERNEL},
        "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
        # Docker and other clusters, which may be at work meanwhile, have names of their own.
        "links": sorted(link for link in links if link == made.name or link.startswith("cni")),
        "mounts": [line for line in mounts if made.home.name in line or "kubelet" in line],
        "places": {place: listed(Path(place)) for place in PLACES},
    }


def listed(folder: Path) -> list[str] | None:
    return sorted(os.listdir(folder)) if folder.exists() else None


def inhabitants(made: Cluster) -> dict[psutil.Process, str]:
    """Return every process of its cgroups, and its network namespace."""
    files = (folder / "cgroup.procs" for folder in made.cgroups.folders())
    found = {}
    for pid in {*"\n".join(file.read_text() for file in files).split()}:
        # A probe of a pod may have ended meanwhile.
        with suppress(psutil.NoSuchProcess, OSError):
            found[psutil.Process(int(pid))] = os.readlink(f"/proc/{pid}/ns/net")
    return found


def holders(namespaces: set[str], before: float) -> list[psutil.Process]:
    """Return the processes in one of these network namespaces that began before a time.

    The kernel gives the number of one that is gone to the next that is made.
    """
    found = []
    for process in psutil.process_iter():
        try:
            own = os.readlink(f"/proc/{process.pid}/ns/net")
        except OSError:
            continue
        if own in namespaces and process.create_time() < before:
            found.append(process)
    return found


def applied(made: Cluster, *manifests: object) -> None:
    """Hand manifests to the cluster. JSON is YAML too."""
    file = made.home / "test.json"
    items = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
    file.write_text(json.dumps(items))
    made.kubectl("apply", f"--filename={file}")


def test_it_comes_up_runs_a_pod_with_a_volume_and_leaves_nothing(operators: list[Operator]) -> None:
    one = operators[0]
    made = of(one)
    before = left(made)
    done = one.types("cluster", "up", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"export KUBECONFIG={made.kubeconfig}" in done.stdout
    applied(made, CLAIM, POD)
    made.kubectl("wait", "--for=condition=Ready", "pod/writer", "--timeout=60s", timeout=90)
    assert made.kubectl("exec", "writer", "--", "cat", "/data/file").output == "kept\n"
    name = "kubernetes.default.svc.cluster.local"
    assert "10.96.0.1" in made.kubectl("exec", "writer", "--", "nslookup", name).output
    assert one.types("cluster", "restart", "kubelet").returncode == 0
    assert left(made)["kernel"] == before["kernel"]

    processes = inhabitants(made)
    namespaces = set(processes.values())
    assert len(namespaces) > 4, "the node's, and one of each pod"
    assert one.types("cluster", "status").returncode == 0
    ending = time.time()
    assert made.process() in holders(namespaces, ending)
    assert one.types("cluster", "down").returncode == 0
    assert [found for found in processes if found.is_running()] == []
    assert holders(namespaces, ending) == []
    assert left(made) == before
    assert one.types("cluster", "status").returncode == 3


def test_a_start_that_is_called_off_leaves_nothing(operators: list[Operator]) -> None:
    made = of(operators[0])
    before = left(made)
    begun = begin(operators[0], made)
    # As Ctrl-C, which a test that itself runs in the background would hand on as ignored.
    begun.terminate()
    assert begun.wait(60) == 128 + signal.SIGTERM
    assert left(made) == before


def test_the_next_start_removes_what_a_killed_one_left(operators: list[Operator]) -> None:
    one, other = operators
    made = of(one)
    before = left(made)
    begun = begin(one, made)
    begun.kill()
    begun.wait(10)
    (killed,) = (found for found in [made.process()] if found)
    done = other.types("cluster", "up", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"removed what was left of the cluster {one.name}" in done.stderr
    assert not killed.is_running()
    assert left(made) == before
    assert of(other).ready()
    _a_second_one_beside(of(other), made)
    done = other.types("cluster", "up", "--yes")
    assert f"removed what was left of the cluster {one.name}" in done.stderr
    assert left(made) == before
    assert of(other).ready()


def _a_second_one_beside(first: Cluster, second: Cluster) -> None:
    """Start another one, as a run of the tests does, see that they do not meet; kill the run."""
    with subprocess.Popen(["sleep", "600"]) as run:
        try:
            assert second.up(owner=run.pid)
            assert (first.ready(), second.ready()) == (True, True)
            networks = {one.network for one in (first.record(), second.record()) if one}
            assert len(networks) == 2
            second.kubectl("create", "namespace", "beside")
            asked = ("get", "namespaces", "--output=name")
            assert "beside" not in first.kubectl(*asked).output
            assert "beside" in second.kubectl(*asked).output
        finally:
            run.kill()
    assert second.is_up(), "it outlives who has started it"


def begin(operator: Operator, made: Cluster) -> "subprocess.Popen[bytes]":
    """Start a cluster, and return as soon as its node runs."""
    begun = subprocess.Popen(
        [str(ROOT / "moor"), "cluster", "up", "--yes"],
        env=operator.environ(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    probe.until(lambda: True if made.process() and any(made.home.glob("logs/etcd.log")) else None,
                what="the node to run", timeout=120)  # fmt: skip
    return begun
