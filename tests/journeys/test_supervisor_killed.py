"""A supervisor that was killed is followed by another, under load, and no request fails."""

import os
import signal

import psutil
import pytest

from moorings import report
from moorings.contract.hammer import loaded, unharmed
from moorings.contract.run import Run
from moorings.contract.site import Site


def kill_supervisor(site: Site) -> None:
    (found,) = (one for one in site.target.instances() if one.role == "supervisor")
    process = psutil.Process(int(found.id))
    os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs([process], timeout=10)


def has_supervisor(site: Site) -> bool:
    return any(one.role == "supervisor" for one in site.target.instances())


def test_no_request_fails(capsys: pytest.CaptureFixture[str]) -> None:
    column = Run("gunicorn").column()
    try:
        with column.other() as site, loaded(site.url, column.size) as load:
            kill_supervisor(site)
            assert report.status(site.deployment) == 0
            assert "its supervisor was killed" in capsys.readouterr().err
            site.reload({"server.workers": 3})
            assert has_supervisor(site)
            kill_supervisor(site)
            assert site.deploy({"server.workers": 2}, proof=False)
            assert has_supervisor(site)
            figure = unharmed(load).summary()
    finally:
        column.close()
    assert figure.startswith("0 failed of ")
    with capsys.disabled():
        print(f" {figure} ", end="")
