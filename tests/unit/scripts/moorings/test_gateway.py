"""What the gateway does without nginx: its masters here are plain processes."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from moorings import gateway_files, probe
from moorings.gateway import Gateway
from moorings.gateway_files import Behind
from moorings.layout import Layout
from moorings.live import Launch
from moorings.runner import LocalRunner
from moorings.settings import Server, Settings
from moorings.target import Context


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    settings = Settings(tmp_path, server=replace(Server(), port=0, keep_alive=1, grace=5))
    made = Gateway(Context(settings, LocalRunner(), Layout(tmp_path, tmp_path, "mine"), None))
    made.live.layout.logs.mkdir(parents=True)
    yield made
    made.live.stop()


def start(gateway: Gateway, name: str, bind: str, digest: str) -> None:
    waits = Launch([sys.executable, "-c", "import signal; signal.pause()"], dict(os.environ),
                   gateway.live.layout.home)  # fmt: skip
    (gateway.home / "run" / name).mkdir(parents=True)
    about = {"version": "nginx", "commit": "", "settings": digest, "bind": bind}
    gateway.live.put(name, waits, about, lambda: None)


def test_one_that_an_interrupt_left_beside_the_live_one_goes(
    gateway: Gateway, tmp_path: Path
) -> None:
    (tmp_path / "nginx.conf").write_text("http {}")
    behind = Behind(tmp_path, ("unix:/b", "unix:/g"), "http", tmp_path, tmp_path)
    bind = gateway.live.address()
    gateway.live.make_ready(bind)
    start(gateway, "before", bind, "other")
    start(gateway, "live", bind, gateway_files.digest(behind, gateway.server, bind))
    assert [one.name for one in gateway.live.supervised.masters()] == ["live", "before"]
    gateway.put(behind)
    # It is gone before its supervisor has written that down.
    probe.until(
        lambda: True if len(gateway.live.supervised.masters()) == 1 else None,
        what="the one before to be gone",
        timeout=10,
    )
    assert gateway.live.supervised.masters()[0].name == "live"
