"""Ports of this host: a free one, and who has a taken one."""

import errno
import socket

import psutil

from moorings.target import Need


def free(host: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port of the host that nobody listens on just now."""
    with socket.socket(_family(host), kind) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def is_free(host: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> bool:
    """Tell whether a server could listen there."""
    return _obstacle(host, port, kind) is None


def _obstacle(host: str, port: int, kind: socket.SocketKind) -> OSError | None:
    with socket.socket(_family(host), kind) as probe:
        if kind is socket.SOCK_STREAM:
            # As servers do: a port in TIME_WAIT is free. For UDP it would share a taken one.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            return problem
        return None


def holder(port: int) -> str:
    """Name the process that listens on a port, as far as this user may know."""
    try:
        return _holder(port)
    except psutil.Error:
        # It ended while it was looked at.
        return "a process that has just ended"


def _holder(port: int) -> str:
    for connection in psutil.net_connections("inet"):
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr
        if listens and listens.port == port:
            if connection.pid is None:
                break
            return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "a process of another user"


def need(host: str, port: int) -> Need:
    """Return the need for a port, saying what is in the way."""
    obstacle = _obstacle(host, port, socket.SOCK_STREAM)
    if obstacle is None:
        return Need(f"port {port}", True, "")
    another = f"PORT={8000 if port < 1024 else port + 1} with make, --port with ./moor"
    if obstacle.errno == errno.EADDRINUSE:
        what = f"port {port} on {host} is taken by {holder(port)}"
        return Need(what, False, f"stop it, or choose another port: {another}")
    if obstacle.errno == errno.EACCES:
        return Need(f"port {port} is for root alone", False, f"choose one above 1023: {another}")
    what = f"nothing can listen on {host}: {obstacle.strerror}"
    return Need(what, False, "server.host should be an address of this machine")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
