"""What of a container's mounts is no place to keep anything, on lines that a kernel has shown."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from moorings.contract.checks import contained
from moorings.contract.outcome import CheckFailed
from moorings.target import Instance

#: More than a kernel gives to a process.
NOBODY = 2**22 + 1

ROOT = "312 290 0:48 / / ro,relatime master:4 - overlay overlay rw,lowerdir=/l,upperdir=/u"
WIDE = "312 290 0:48 / / rw,relatime master:4 - overlay overlay rw,lowerdir=/l,upperdir=/u"
TMP = "321 312 0:53 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw,size=65536k"
ENDLESS = "321 312 0:53 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw"
VOLUME = "331 312 254:0 /docker/volumes/orders/_data /data rw,relatime - ext4 /dev/vda rw"
FOLDER = "331 312 254:0 /home/someone /data rw,relatime - ext4 /dev/vda rw"
PTS = "315 313 0:51 / /dev/pts rw,nosuid,noexec - devpts devpts rw,gid=5"


@pytest.mark.parametrize(
    ("line", "fine"),
    [(ROOT, True), (WIDE, False), (TMP, True), (ENDLESS, False), (VOLUME, True), (FOLDER, False),
     (PTS, True)],
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
