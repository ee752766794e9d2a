"""A gateway that goes: its master here is a plain process."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from moorings import probe
from moorings.front import Front
from moorings.layout import Layout
from moorings.live import Launch
from moorings.releases import HostReleases
from moorings.runner import LocalRunner
from moorings.settings import Server, Settings
from moorings.target import Context, Release

SLOW = """
import pathlib, signal, time
signal.signal(signal.SIGTERM, lambda *_: time.sleep(1) or exit())
pathlib.Path("serves").touch()
signal.pause()
"""


@pytest.fixture
def front(tmp_path: Path) -> Front:
    settings = Settings(tmp_path, server=replace(Server(), port=0, grace=5))
    context = Context(settings, LocalRunner(), Layout(tmp_path, tmp_path, "mine"), None)
    return Front(context, HostReleases(context, "gunicorn"), "none", "http")


def run_gateway(front: Front) -> None:
    """Start what runs in place of nginx."""
    live = front.gateway.live
    live.layout.logs.mkdir(parents=True)
    bind = live.address()
    live.make_ready(bind)
    about = {"version": "nginx", "commit": "", "settings": "", "bind": bind}
    argv, serves = [sys.executable, "-c", SLOW], live.home / "serves"

    def wait() -> None:
        probe.until(lambda: serves.exists() or None, what="it to serve", timeout=10)

    live.put("nginx", Launch(argv, dict(os.environ), live.home), about, wait)


def test_that_the_port_closes_is_said_before_nginx_goes(
    front: Front, capsys: pytest.CaptureFixture[str]
) -> None:
    release = Release("v", "", "", {})
    front.prepare(release)
    assert "closes the port" not in capsys.readouterr().err
    run_gateway(front)
    front.prepare(release)
    assert "taking nginx away closes the port" in capsys.readouterr().err
    assert not front.gateway.url


def test_the_app_has_what_the_gateway_left_of_the_grace_period(front: Front) -> None:
    assert front.down() is None
    run_gateway(front)
    left = front.down()
    assert left is not None
    assert 1 <= left <= 4
