"""Takes a listening socket from a process that serves on it, without it being closed.

pidfd_getfd(2) wants the rights to trace that process: root has them, another user where the
kernel lets him (ptrace_scope of Yama).
"""

import ctypes
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

#: Number of pidfd_getfd, the same on every architecture (since Linux 5.6).
PIDFD_GETFD = 438


def listener(pid: int, address: str) -> socket.socket | None:
    """Return a copy of a process's listening socket; None where it has none or keeps it.

    :param address: `host:port` or `unix:` and a path, what the socket must be bound to.
    """
    with suppress(OSError):
        wanted = _numeric(address)
        process = os.pidfd_open(pid)
        try:
            for number in _sockets(pid):
                found = _copy(process, number)
                if found is not None and _bound(found) in wanted:
                    return found
                if found is not None:
                    found.close()
        finally:
            os.close(process)
    return None


def _sockets(pid: int) -> list[int]:
    links = Path(f"/proc/{pid}/fd").iterdir()
    return [int(link.name) for link in links if _goal(link).startswith("socket:")]


def _goal(link: Path) -> str:
    """Return what a descriptor is; empty where it was closed meanwhile."""
    with suppress(FileNotFoundError):
        return str(link.readlink())
    return ""


def _copy(process: int, number: int) -> socket.socket | None:
    copied = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, process, number, 0)
    return socket.socket(fileno=copied) if copied >= 0 else None


def _bound(found: socket.socket) -> str:
    """Return what a listening socket is bound to; empty where it does not listen."""
    if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return ""
    name = found.getsockname()
    return _written(name) if isinstance(name, tuple) else f"unix:{os.fsdecode(name)}"


def _numeric(address: str) -> set[str]:
    """Return an address as the kernel may say it: where its host is a name, there are several."""
    host, _, port = address.rpartition(":")
    if address.startswith("unix:"):
        return {address}
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    return {_written(name) for *_, name in found}


def _written(name: Sequence[object]) -> str:
    host, port = str(name[0]), name[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
