"""Addresses that are on this machine though not on loopback: behind a virtual link of its own."""

import ipaddress
import socket
from pathlib import Path

import psutil

NET = Path("/sys/class/net")


def beside(address: str, net: Path = NET) -> bool:
    """Tell whether an address of IPv4 is behind a bridge, or at the other end of a veth.

    That is where containers and the nodes of clusters are. A tunnel leads elsewhere.
    """
    try:
        wanted = ipaddress.IPv4Address(address)
    except ValueError:
        return False
    for name, found in psutil.net_if_addrs().items():
        own = [one for one in found if one.family == socket.AF_INET and one.netmask]
        near = (ipaddress.IPv4Network(f"{one.address}/{one.netmask}", strict=False) for one in own)
        if any(wanted in network for network in near) and virtual(net / name):
            return True
    return False


def virtual(link: Path) -> bool:
    """Tell whether an interface is a bridge or a veth.

    https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-class-net
    """
    try:
        if "/virtual/" not in str(link.resolve()):
            return False
        if "DEVTYPE=" in (told := (link / "uevent").read_text()):
            return "DEVTYPE=bridge" in told
        # A veth is linked to another interface; a tunnel to nothing but itself.
        return (link / "iflink").read_text() != (link / "ifindex").read_text()
    except OSError:
        return False  # it has just gone
