"""A gateway that goes: its master here is a plain process."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from moorings.front import Front
from moorings.layout import Layout
from moorings.live import Launch
from moorings.releases import HostReleases
from moorings.runner import LocalRunner
from moorings.settings import Server, Settings
from moorings.target import Context, Release


def test_that_the_port_closes_is_said_before_nginx_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(tmp_path, server=replace(Server(), port=0, grace=5))
    context = Context(settings, LocalRunner(), Layout(tmp_path, tmp_path, "mine"), None)
    front = Front(context, HostReleases(context, "gunicorn"), "none", "http")
    live, release = front.gateway.live, Release("v", "", "", {})
    front.prepare(release)
    assert "closes the port" not in capsys.readouterr().err
    live.layout.logs.mkdir(parents=True)
    bind = live.address()
    live.make_ready(bind)
    waits = [sys.executable, "-c", "import signal; signal.pause()"]
    about = {"version": "nginx", "commit": "", "settings": "", "bind": bind}
    live.put("nginx", Launch(waits, dict(os.environ), live.home), about, lambda: None)
    front.prepare(release)
    assert "taking nginx away closes the port" in capsys.readouterr().err
    assert not front.gateway.url
