"""What of a container's mounts is no place to keep anything, on lines that a kernel has shown."""

import os

import pytest

from moorings.contract.checks import contained

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
    assert "/" in [mount.point for mount in contained.mounts(str(os.getpid()))]
