"""How one master after another serves on the same address: two ways, by what the server can do.

Most servers take a listening socket that the supervisor keeps. One that opens its address itself
does so with SO_REUSEPORT, so that two are open at once; the kernel is then told which of them gets
new connections, as it would deal them out to both, ready or not.
"""

import ctypes
import os
import socket
import struct
from contextlib import closing
from typing import Protocol

from moorings import addresses, inherit
from moorings.runner import User

#: socket(7); Python has no name for it.
SO_ATTACH_REUSEPORT_CBPF = 51

#: "Return a constant", of classic BPF: which socket of the group, counted from 0 by age.
BPF_RET_K = 0x06


class Handover(Protocol):
    """What the supervisor holds of an address, and who gets its new connections."""

    def opened(self, bind: str) -> socket.socket:
        """Return what a supervisor is to hold; no other process may have the address.

        :raises OSError: where one has.
        """

    def left(self, pid: int, bind: str) -> socket.socket | None:
        """Return the same where a master serves there, and its supervisor was killed."""

    def stay(self, pid: int, bind: str) -> None:
        """Let a master that serves keep all new connections, while another one starts."""

    def go(self, pid: int, bind: str) -> None:
        """Let that other one have them."""


class Kept:
    """The supervisor listens, and each master inherits its socket."""

    def __init__(self, user: User | None) -> None:
        """Give the file of a Unix socket to who serves on it."""
        self.owner = user.owner if user else None

    def opened(self, bind: str) -> socket.socket:
        """Return a listening socket."""
        return addresses.listener(bind, self.owner)

    def left(self, pid: int, bind: str) -> socket.socket | None:
        """Take it from the master."""
        return inherit.listener(pid, bind)

    def stay(self, pid: int, bind: str) -> None:
        """Have nothing to do: all masters accept from one queue."""

    def go(self, pid: int, bind: str) -> None:
        """Have nothing to do."""


class Reopened:
    """Each master opens the address itself; the supervisor keeps it from other users."""

    def __init__(self, user: User | None) -> None:
        """Let only the masters' user open it: the kernel compares the owners of the sockets."""
        self.user = user

    def opened(self, bind: str) -> socket.socket:
        """Return a socket that is bound and does not listen: no connection waits for it."""
        try:
            made = _reserved(bind, socket.SO_REUSEPORT)
        except OSError:
            # Connections that another server had here may still be remembered (TIME_WAIT).
            made = _reserved(bind, socket.SO_REUSEPORT, socket.SO_REUSEADDR)
        if self.user is not None:
            os.fchown(made.fileno(), *self.user.owner)
        return made

    def left(self, pid: int, bind: str) -> socket.socket | None:
        """Bind another one beside the master's."""
        return self.opened(bind)

    def stay(self, pid: int, bind: str) -> None:
        """Choose the older socket. Where this is not allowed, the new master gets some early."""
        _choose(pid, bind, 0)

    def go(self, pid: int, bind: str) -> None:
        """Choose the newer one; once the older is closed the kernel finds it by itself."""
        _choose(pid, bind, 1)


def _reserved(bind: str, *options: int) -> socket.socket:
    host, _, port = bind.rpartition(":")
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        for option in options:
            made.setsockopt(socket.SOL_SOCKET, option, 1)
        made.bind((host.strip("[]"), int(port)))
    except OSError:
        made.close()
        raise
    return made


def _choose(pid: int, bind: str, index: int) -> None:
    """Attach a program of one instruction to the sockets that share an address."""
    found = inherit.listener(pid, bind)
    if found is None:
        return
    code = ctypes.create_string_buffer(struct.pack("HBBI", BPF_RET_K, 0, 0, index))
    # struct sock_fprog: how many instructions, and where they are.
    program = struct.pack("@HP", 1, ctypes.addressof(code))
    with closing(found):
        found.setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program)
