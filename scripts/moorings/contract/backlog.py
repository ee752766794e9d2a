"""Connections that the kernel has accepted, and the server has not: Linux alone tells."""

from pathlib import Path

#: What proc_net_tcp(5) calls the state of a listening socket.
LISTENS = "0A"


def waiting(port: int) -> int:
    """Return how many wait on a port of IPv4: `rx_queue` of its listening socket."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, queues, *_ = line.split()
        if state == LISTENS and int(local.rpartition(":")[2], 16) == port:
            return int(queues.rpartition(":")[2], 16)
    return 0
