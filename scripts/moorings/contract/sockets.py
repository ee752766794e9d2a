"""The connections that a process holds, in whatever network namespace it is.

psutil looks in its own namespace alone, where a container's sockets are not to be found.
https://man7.org/linux/man-pages/man5/proc_net.5.html
"""

from pathlib import Path

LISTENING = "0A"

#: The port of no peer: that of a socket which listens.
NOBODY = "0000"


def clients(pid: int) -> int:
    """Return how many connections of clients a process holds.

    :raises FileNotFoundError: where it does not run.
    """
    process = Path(f"/proc/{pid}")
    own = {link for fd in (process / "fd").iterdir() if (link := _inode(fd))}
    return _by_tcp(process / "net", own) + _by_path(process / "net", own)


def _inode(fd: Path) -> str:
    try:
        kind, _, rest = str(fd.readlink()).partition(":[")
    except FileNotFoundError:
        return ""
    return rest.rstrip("]") if kind == "socket" else ""


def _rows(table: Path) -> list[list[str]]:
    return [line.split() for line in table.read_text().splitlines()[1:]]


def _by_tcp(net: Path, own: set[str]) -> int:
    """Count what came to a port that it listens on."""
    rows = [row for name in ("tcp", "tcp6") for row in _rows(net / name) if row[9] in own]
    ports = {_port(row[1]) for row in rows if row[3] == LISTENING}
    return sum(_port(row[2]) != NOBODY and _port(row[1]) in ports for row in rows)


def _port(address: str) -> str:
    return address.rpartition(":")[2]


def _by_path(net: Path, own: set[str]) -> int:
    """Count what a front server of its own brought, as Apache's, each on a Unix socket."""
    paths = [row[7] for row in _rows(net / "unix") if row[6] in own and len(row) > 7]
    return len(paths) - len(set(paths))
