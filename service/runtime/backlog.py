"""How many connections wait to be accepted by this process and those beside it, on Linux."""

import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISSOCK
from typing import Any

_OPEN = Path("/proc/self/fd")
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTENS = 10
# https://man7.org/linux/man-pages/man7/sock_diag.7.html; the family and the socket's protocol have
# no names in Python.
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST_ALL = 0x301
_SHOW_QUEUE, _QUEUE = 0x10, 4
_HEADER = struct.Struct("=IHHII")
_ASKED = struct.Struct("=BBHIIIII")
_FOUND = struct.Struct("=BBBBIII")
_ATTRIBUTE = struct.Struct("=HH")
# The kernel answers at once.
_PATIENCE = 1.0


def metrics() -> Iterator[Any]:
    """Yield the metric, where this process has a socket that listens."""
    from prometheus_client.metrics_core import GaugeMetricFamily

    found = waiting()
    if found is not None:
        name = "moorings_connections_waiting"
        yield GaugeMetricFamily(name, "Connections that no worker has accepted yet.", value=found)


def waiting() -> int | None:
    """Return how many wait at the sockets that this process listens at; None if there is none."""
    own = set(_sockets())
    queues = [queue for inode, queue in (*_by_tcp(), *_by_unix()) if inode in own]
    return sum(queues) if queues else None


def _sockets() -> Iterator[int]:
    """Yield the inode of each socket that this process holds."""
    if not _OPEN.is_dir():
        return
    for name in os.listdir(_OPEN):
        with suppress(OSError):  # closed meanwhile
            about = os.fstat(int(name))
            if S_ISSOCK(about.st_mode):
                yield about.st_ino


def _by_tcp() -> Iterator[tuple[int, int]]:
    """https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html"""
    for table in _TABLES:
        with suppress(OSError):  # a kernel without IPv6
            for line in table.read_text().splitlines()[1:]:
                fields = line.split()
                if int(fields[3], 16) == _LISTENS:
                    yield int(fields[9]), int(fields[4].partition(":")[2], 16)


def _by_unix() -> Iterator[tuple[int, int]]:
    """No file tells the queues of Unix sockets, but the kernel does when it is asked."""
    asked = _ASKED.pack(socket.AF_UNIX, 0, 0, 1 << _LISTENS, 0, _SHOW_QUEUE, 0, 0)
    head = _HEADER.pack(_HEADER.size + len(asked), _SOCK_DIAG_BY_FAMILY, _REQUEST_ALL, 1, 0)
    with (
        suppress(OSError),  # a sandbox that does not know it
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel,
    ):
        kernel.settimeout(_PATIENCE)
        kernel.send(head + asked)
        while True:
            for kind, message in _messages(kernel.recv(65536)):
                if kind != _SOCK_DIAG_BY_FAMILY:
                    return
                yield _FOUND.unpack_from(message)[4], _queue(message[_FOUND.size :])


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        size, kind, *_ = _HEADER.unpack_from(data)
        yield kind, data[_HEADER.size : size]
        data = data[(size + 3) & ~3 :]


def _queue(attributes: bytes) -> int:
    """Return the length of the queue, which was asked for."""
    while attributes:
        size, kind = _ATTRIBUTE.unpack_from(attributes)
        if kind == _QUEUE:
            return int.from_bytes(attributes[4:8], sys.byteorder)
        attributes = attributes[(size + 3) & ~3 :]
    return 0
