"""Load goes to this machine alone: to what is behind its own bridges and veths too."""

from pathlib import Path

import pytest

from moorings.contract.links import beside, virtual


@pytest.mark.parametrize(
    ("place", "uevent", "index", "linked", "is_own"),
    [
        ("virtual", "DEVTYPE=bridge\nINTERFACE=docker0", 5, 5, True),
        ("virtual", "INTERFACE=veth0", 984, 2, True),
        ("virtual", "INTERFACE=tun0", 9, 9, False),
        ("virtual", "DEVTYPE=wireguard\nINTERFACE=wg0", 9, 9, False),
        ("virtual", "DEVTYPE=vlan\nINTERFACE=eth0.7", 9, 4, False),
        ("pci0", "INTERFACE=eth0", 4, 4, False),
    ],
)
def test_which_links_stay_on_this_machine(
    tmp_path: Path, place: str, uevent: str, index: int, linked: int, is_own: bool
) -> None:
    real = tmp_path / place / "net" / "one"
    real.mkdir(parents=True)
    (real / "uevent").write_text(uevent)
    (real / "ifindex").write_text(f"{index}\n")
    (real / "iflink").write_text(f"{linked}\n")
    link = tmp_path / "one"
    link.symlink_to(real)
    assert virtual(link) is is_own


def test_what_is_no_address_near_is_elsewhere(tmp_path: Path) -> None:
    assert not beside("192.0.2.1")
    assert not beside("cluster.example")
    assert not beside("127.0.0.1", tmp_path)
    assert not virtual(tmp_path / "gone")
