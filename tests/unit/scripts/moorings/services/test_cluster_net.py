"""A cluster's link: which network it takes, and what it is told."""

from ipaddress import IPv4Network
from itertools import islice

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.errors import MoorError
from moorings.runner import Command, Result
from moorings.services.cluster_net import RANGE, Link, candidates, choose, cut


class Host(RecordingRunner):
    """A host whose only network is this one."""

    def __init__(self, address: str = "", route: str = "default") -> None:
        super().__init__()
        self.address, self.route = address, route

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        if "address" in command.argv:
            info = f'{{"local": "{self.address}"}}' if self.address else ""
            return Result(0, f'[{{"addr_info": [{info}]}}, {{}}]')
        return Result(0, f'[{{"dst": "{self.route}"}}]')


def test_the_same_name_gets_the_same_network_and_another_name_another() -> None:
    first = choose("moor-1", Host())
    assert first == choose("moor-1", Host())
    assert first.network != choose("moor-2", Host()).network
    assert first.network.prefixlen == 30
    assert first.network.subnet_of(RANGE)


def test_a_name_meets_every_network_of_the_range_once() -> None:
    found = list(candidates("moor-1"))
    assert len(found) == len(set(found)) == RANGE.num_addresses // 4
    assert all(one.subnet_of(RANGE) for one in found)


@pytest.mark.parametrize("what", ["address", "route"])
def test_one_that_the_host_knows_is_left_to_it(what: str) -> None:
    taken, following = islice(candidates("moor-1"), 2)
    host = Host(address=str(taken[1])) if what == "address" else Host(route=str(taken))
    assert choose("moor-1", host).network == following


def test_where_none_is_free_it_says_so() -> None:
    with pytest.raises(MoorError, match="is free"):
        choose("moor-1", Host(route="10.0.0.0/8"))


def test_one_end_is_in_the_node_from_the_start(runner: RecordingRunner) -> None:
    link = Link("moor-1", IPv4Network("10.213.0.4/30"))
    assert (link.host, link.node) == ("10.213.0.5", "10.213.0.6")
    link.up(17, runner)
    cut("moor-1", runner)
    assert runner.argvs == [
        ["ip", "link", "add", "moor-1", "type", "veth", "peer", "name", "eth0", "netns", "17"],
        ["ip", "address", "add", "10.213.0.5/30", "dev", "moor-1"],
        ["ip", "link", "set", "moor-1", "up"],
        ["ip", "link", "delete", "dev", "moor-1"],
    ]
