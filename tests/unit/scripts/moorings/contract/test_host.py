"""What a report says of its machine."""

import re
from pathlib import Path

from moorings.contract import host


def test_it_names_the_server_by_its_pins(tmp_path: Path) -> None:
    locks = tmp_path / "service" / "requirements"
    locks.mkdir(parents=True)
    (locks / "fake.in").write_text("# a server\nfake-server==1.2\nits.plugin==3.4.5 # why\n")
    found = host.facts("fake", tmp_path)
    assert found["servers"] == {"fake-server": "1.2", "its.plugin": "3.4.5"}


def test_a_target_without_packages_names_none(tmp_path: Path) -> None:
    assert host.facts("", tmp_path)["servers"] == {}


def test_the_processor_is_named_by_the_kernel_or_by_its_architecture(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    assert re.fullmatch(r"\w+", str(host.facts(cpuinfo=file)["cpu"]))
    file.write_text("processor : 0\nmodel name\t: Some CPU @ 2 GHz\nmodel name\t: Some CPU\n")
    assert host.facts(cpuinfo=file)["cpu"] == "Some CPU @ 2 GHz"
