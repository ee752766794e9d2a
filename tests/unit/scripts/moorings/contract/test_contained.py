"""What of a container's mounts is no place to keep anything, on lines that a kernel has shown."""

import os
import subprocess
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from moorings import addresses
from moorings.contract.checks import contained
from moorings.contract.column import Column
from moorings.contract.outcome import CheckFailed
from moorings.target import Endpoints, Instance

#: More than a kernel gives to a process.
NOBODY = 2**22 + 1

ROOT = "312 290 0:48 / / ro,relatime master:4 - overlay overlay rw,lowerdir=/l,upperdir=/u"
WIDE = "312 290 0:48 / / rw,relatime master:4 - overlay overlay rw,lowerdir=/l,upperdir=/u"
TMP = "321 312 0:53 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw,size=65536k"
ENDLESS = "321 312 0:53 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw"
VOLUME = "331 312 254:0 /docker/volumes/orders/_data /data rw,relatime - ext4 /dev/vda rw"
FOLDER = "331 312 254:0 /home/someone /data rw,relatime - ext4 /dev/vda rw"
POD = "331 312 254:0 /kubelet/pods/1a/volumes/empty/tmp /tmp rw,relatime - ext4 /dev/vda rw"
PTS = "315 313 0:51 / /dev/pts rw,nosuid,noexec - devpts devpts rw,gid=5"


@pytest.mark.parametrize(
    ("line", "fine"),
    [(ROOT, True), (WIDE, False), (TMP, True), (ENDLESS, False), (VOLUME, False), (FOLDER, False),
     (POD, True), (PTS, True)],
)  # fmt: skip
def test_what_may_be_written(line: str, fine: bool) -> None:
    assert contained._mount(line).fine is fine


def test_every_line_of_this_kernel_is_read() -> None:
    [(_, lines)] = contained.told([process(os.getpid())], "mountinfo")
    assert "/" in [mount.point for mount in contained.mounts(lines)]


def process(pid: int) -> Instance:
    return Instance(str(pid), "worker", "nobody", "1")


@pytest.fixture
def ended() -> Iterator[Instance]:
    """One that has ended, and that nobody has waited for."""
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        yield process(child.pid)


@pytest.mark.parametrize("name", ["mountinfo", "environ"])
def test_what_has_just_ended_has_nothing_to_tell(name: str, ended: Instance) -> None:
    own = process(os.getpid())
    asked = [ended, process(NOBODY), own]
    assert [one for one, _ in contained.told(asked, name)] == [own]
    with pytest.raises(CheckFailed, match="all that ran has ended"):
        contained.told(asked[:2], name)


class Open(Column):
    """What is published as told, by the settings of a host of the clients'."""

    def __init__(self, host: str, *places: str) -> None:
        super().__init__("docker-gunicorn")
        self.host, self.places = host, places

    @property
    def settings(self) -> Any:
        return SimpleNamespace(server=SimpleNamespace(host=self.host))

    @property
    def target(self) -> Any:
        return self

    def endpoints(self) -> Endpoints:
        outer, inner, *_ = self.places
        return Endpoints(addresses.url(outer), addresses.url(inner))

    def published(self) -> list[tuple[str, str]]:
        return [("gateway", place) for place in self.places]

    secrets = told = published


INNER = "127.0.0.1:8001"


def test_where_nothing_is_published_nothing_is_proved() -> None:
    one = Open("127.0.0.1", "127.0.0.1:8000", INNER)
    one.published = lambda: []  # type: ignore[method-assign]
    with pytest.raises(CheckFailed, match="nothing is published"):
        contained.published(one)


@pytest.mark.parametrize(
    ("host", "places"),
    [
        ("127.0.0.1", ["127.0.0.1:8000", INNER]),
        ("0.0.0.0", ["0.0.0.0:8000", INNER]),
        ("::1", ["[::1]:8000", INNER]),
    ],
)
def test_what_the_settings_name_is_published(host: str, places: list[str]) -> None:
    assert contained.published(Open(host, *places)) == f"gateway at {', gateway at '.join(places)}"


@pytest.mark.parametrize(
    "places",
    [
        ["0.0.0.0:8000", INNER],
        ["127.0.0.1:8000", "0.0.0.0:8001"],
        ["127.0.0.1:8000", INNER, "127.0.0.1:5432"],
        ["127.0.0.1:8000", INNER, "127.0.0.1:8000/udp"],
    ],
)
def test_what_is_published_beside_it_is_named(places: list[str]) -> None:
    with pytest.raises(CheckFailed, match="published beside what the settings name"):
        contained.published(Open("127.0.0.1", *places))
