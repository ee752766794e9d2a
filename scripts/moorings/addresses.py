"""Where an app listens: `host:port`, or `unix:` and a path; and the URL to ask it by.

A Unix socket as a URL is `http+unix://` and its path, percent-encoded.
"""

import os
import socket
import ssl
import stat
from contextlib import closing
from functools import cache
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import httpx

from moorings import ports
from moorings.settings import Server
from moorings.target import Need

UNIX, SCHEME = "unix:", "http+unix"

#: Bytes of the longest path of a Unix socket (unix(7): 108 with the zero at its end).
LONGEST = 107

#: What stands against a Unix socket where a container has the gateway.
PORT_ALONE = Need(
    "the gateway of containers listens on a port alone", False, "leave server.socket empty"
)

#: Connections that may wait for a master, as Gunicorn's own default.
BACKLOG = 2048


def wanted(server: Server) -> str:
    """Return the address that the settings mean; port 0 stands for a free one."""
    if server.socket:
        return f"{UNIX}{server.socket}"
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"{host}:{server.port}"


def url(address: str) -> str:
    """Return how to ask what listens there."""
    path = address.removeprefix(UNIX)
    return f"http://{address}" if path == address else f"{SCHEME}://{quote(path, safe='')}"


def socket_path(url: str) -> str:
    """Return the path of the Unix socket that a URL means; empty where it means none."""
    parts = urlsplit(url)
    return unquote(parts.netloc) if parts.scheme == SCHEME else ""


def shown(url: str) -> str:
    """Return a URL as a person reads it, and as nginx and curl want it."""
    path = socket_path(url)
    return f"{UNIX}{path}" if path else url


def client(url: str, timeout: float) -> httpx.Client:
    """Return a client of a URL; only the path of what it asks counts.

    :param timeout: seconds.
    """
    path = socket_path(url)
    transport = httpx.HTTPTransport(verify=trusted(), uds=path or None, trust_env=False)
    base = "http://localhost" if path else url
    return httpx.Client(base_url=base, transport=transport, timeout=timeout, trust_env=False)


def get(url: str, timeout: float) -> httpx.Response:
    """Ask a URL once.

    :param timeout: seconds.
    :raises httpx.HTTPError: where there is no answer.
    """
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    with client(url, timeout) as asker:
        return asker.get(f"{parts.path or '/'}{query}" if socket_path(url) else url)


@cache
def trusted() -> ssl.SSLContext:
    """Read the machine's certificates once: that takes ten times as long as a question does."""
    return httpx.create_ssl_context(trust_env=False)


def need(address: str) -> Need:
    """Return the need for an address, saying what is in the way."""
    if not address.startswith(UNIX):
        host, _, port = address.rpartition(":")
        return ports.need(host.strip("[]"), int(port))
    path = Path(address.removeprefix(UNIX))
    obstacle = _obstacle(path)
    return Need(obstacle or str(path), not obstacle, "choose another path: server.socket")


def _obstacle(path: Path) -> str:
    length = len(os.fsencode(path))
    if length > LONGEST:
        return f"the path of a socket has at most {LONGEST} bytes, this one {length}: {path}"
    if not path.is_absolute():
        return f"the path of a socket begins with /, not {path}"
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        return f"{path.parent} is no folder that a socket can be made in"
    if _is_socket(path):
        return f"{path} is taken by another process" if answers(path) else ""
    return f"{path} is there, and no socket" if os.path.lexists(path) else ""


def _is_socket(path: Path) -> bool:
    return os.path.lexists(path) and stat.S_ISSOCK(path.lstat().st_mode)


def answers(path: Path) -> bool:
    """Tell whether somebody listens; one whose queue is full does too."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(2)
        try:
            asked.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
        return True


def listener(address: str, owner: tuple[int, int] | None) -> socket.socket:
    """Return a listening socket for an address; that of a dead server is replaced.

    :param owner: user and group, by number, of a Unix socket's file; None: who makes it.
    """
    made = _unix(address, owner) if address.startswith(UNIX) else _tcp(address)
    made.listen(BACKLOG)
    # All that accept on it are woken, one gets the connection: the others, of nginx say, would wait
    # in accept and leave all that they have meanwhile.
    made.setblocking(False)
    return made


def _tcp(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((host.strip("[]"), int(port)))
    return made


def _unix(address: str, owner: tuple[int, int] | None) -> socket.socket:
    path = address.removeprefix(UNIX)
    forget(address, None)
    made = socket.socket(socket.AF_UNIX)
    # Whoever may enter its folder may ask, as with a port: a gateway is another user.
    before = os.umask(0o111)
    try:
        made.bind(path)
    finally:
        os.umask(before)
    if owner is not None:
        os.chown(path, *owner, follow_symlinks=False)
    return made


def forget(address: str, owner: tuple[int, int] | None) -> None:
    """Remove the file of a Unix socket that nobody listens on any more.

    :param owner: whose it must be; None: anybody's.
    """
    path = Path(address.removeprefix(UNIX))
    if not address.startswith(UNIX) or not _is_socket(path) or answers(path):
        return
    with closing(_Folder(path.parent)) as folder:
        found = os.stat(path.name, dir_fd=folder.number, follow_symlinks=False)
        if stat.S_ISSOCK(found.st_mode) and owner in (None, (found.st_uid, found.st_gid)):
            os.unlink(path.name, dir_fd=folder.number)


class _Folder:
    """An open folder: what is meant in it stays in it, whoever moves a link meanwhile."""

    def __init__(self, path: Path) -> None:
        self.number = os.open(path, os.O_PATH | os.O_DIRECTORY)

    def close(self) -> None:
        os.close(self.number)
