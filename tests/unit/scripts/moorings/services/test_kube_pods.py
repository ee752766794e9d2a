"""What the processes of a pod do, as this host sees them."""

import psutil
import pytest

from moorings.services import kube_pods
from moorings.services.kubectl import Raw

POD: Raw = {"metadata": {"name": "app-1", "labels": {kube_pods.NAME: "app"}}}

READER = "python3 -m runtime.messages /opt/venv/bin/uwsgi"
UWSGI = "/opt/venv/bin/uwsgi --ini /srv/deploy/uwsgi.ini"
APACHE = "/usr/sbin/apache2 -f /srv/deploy/apache/httpd.conf"


class Fake(psutil.Process):
    """One of a family of processes, of which the first is the container's."""

    def __init__(self, pid: int, parent: int, command: str) -> None:
        self.number, self.parent_number, self.command = pid, parent, command

    @property
    def pid(self) -> int:
        return self.number

    def ppid(self) -> int:
        return self.parent_number

    def cmdline(self) -> list[str]:
        if not self.command:
            raise psutil.ZombieProcess(self.number)
        return self.command.split()


@pytest.mark.parametrize(
    ("children", "roles"),
    [
        ((READER, UWSGI, UWSGI), ("helper", "worker", "worker")),
        ((APACHE, "moorings -f httpd.conf", READER), ("helper", "worker", "helper")),
        (("gunicorn: worker", ""), ("worker", "helper")),
    ],
)
def test_only_what_serves_the_app_is_a_worker(
    monkeypatch: pytest.MonkeyPatch, children: tuple[str, ...], roles: tuple[str, ...]
) -> None:
    found: dict[int, str] = {}

    def kept(process: psutil.Process, what: str, pod: Raw) -> list[object]:
        found[process.pid] = what
        return []

    monkeypatch.setattr(kube_pods, "_instance", kept)
    family = [Fake(10, 1, "the master"),
              *(Fake(11 + at, 10, one) for at, one in enumerate(children))]  # fmt: skip
    list(kube_pods._processes(POD, family))
    assert tuple(found.values()) == ("master", *roles)


def test_what_is_claimed_is_a_place_to_keep_data() -> None:
    volumes = [{"name": "orders", "persistentVolumeClaim": {}}, {"name": "tmp", "emptyDir": {}}]
    mounts = [{"name": "orders", "mountPath": "/data"}, {"name": "tmp", "mountPath": "/tmp"}]
    pod = {"spec": {"volumes": volumes, "containers": [{"volumeMounts": mounts}, {}]}}
    assert kube_pods.claimed(pod) == {"/data"}
