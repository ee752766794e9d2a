"""The link between the host and a cluster's node, with a network of two addresses."""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any, cast

from moorings.errors import MoorError
from moorings.runner import Runner

#: Private, and seldom used by others: each cluster has four addresses of it.
RANGE = IPv4Network("10.213.0.0/16")


@dataclass(frozen=True)
class Link:
    """A pair of virtual cables; the host's end has this name, the node's is eth0."""

    name: str
    network: IPv4Network

    @property
    def host(self) -> str:
        """The host's address."""
        return str(self.network[1])

    @property
    def node(self) -> str:
        """The node's address."""
        return str(self.network[2])

    def up(self, pid: int, runner: Runner) -> None:
        """Make it: one end here, the other in the network namespace of a process."""
        for words in (
            ("link", "add", self.name, "type", "veth", "peer", "name", "eth0", "netns", str(pid)),
            ("address", "add", f"{self.host}/30", "dev", self.name),
            ("link", "set", self.name, "up"),
        ):
            runner.run(["ip", *words], timeout=10, quiet=True)


def cut(name: str, runner: Runner) -> None:
    """Take a link away; fine where it is gone, as it goes with the node's namespace."""
    argv = ["ip", "link", "delete", "dev", name]
    runner.run(argv, timeout=10, quiet=True, check=False)


def choose(name: str, runner: Runner) -> Link:
    """Return a link whose network this host does not know.

    :param name: the same name gets the same network, as long as that is free.
    :raises MoorError: where none is.
    """
    used = in_use(runner)
    for network in candidates(name):
        if not any(network.overlaps(other) for other in used):
            return Link(name, network)
    raise MoorError(f"no network of {RANGE} is free", hint="see `ip address` and `ip route`")


def candidates(name: str) -> Iterator[IPv4Network]:
    """Return all networks of the range, beginning with the one that a name means."""
    count = RANGE.num_addresses // 4
    first = zlib.crc32(name.encode()) % count
    for step in range(count):
        start = int(RANGE.network_address) + 4 * ((first + step) % count)
        yield IPv4Network((IPv4Address(start), 30))


def in_use(runner: Runner) -> Sequence[IPv4Network]:
    """Return the networks that this host has addresses in, or a way to; not its default route."""
    links, routes = _listed("address", runner), _listed("route", runner)
    found = [info["local"] for link in links for info in link.get("addr_info", ())]
    found += [route["dst"] for route in routes if route["dst"] != "default"]
    return [IPv4Network(one, strict=False) for one in found]


def _listed(what: str, runner: Runner) -> list[dict[str, Any]]:
    said = runner.run(["ip", "-4", "-json", what], timeout=10, quiet=True).output
    return cast("list[dict[str, Any]]", json.loads(said or "[]"))
