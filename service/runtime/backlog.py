"""How many connections wait to be accepted, as the kernel counts them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LISTENS = "0A"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def metrics() -> Iterator[Any]:
    """Yield the metric, where the server listens on TCP and the kernel is Linux."""
    from prometheus_client.metrics_core import GaugeMetricFamily

    found = waiting(os.environ.get("BIND", ""))
    if found is not None:
        name = "moorings_connections_waiting"
        yield GaugeMetricFamily(name, "Connections that no worker has accepted yet.", value=found)


def waiting(bind: str, tables: tuple[Path, ...] = _TABLES) -> int | None:
    """Return how many wait at an address; None where that cannot be known."""
    port = bind.rpartition(":")[2]
    if not port.isdecimal():
        return None
    queues = [queue for table in tables for queue in _queues(table, int(port))]
    return sum(queues) if queues else None


def _queues(table: Path, port: int) -> Iterator[int]:
    """https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html"""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        local, _, state, queues = line.split()[1:5]
        if state == _LISTENS and int(local.rpartition(":")[2], 16) == port:
            yield int(queues.partition(":")[2], 16)
