"""Which of two sockets the gateway asks, and what waits in a queue."""

import socket
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings import supervisor
from moorings.colours import Colours
from moorings.front import short
from moorings.layout import Layout
from moorings.settings import Settings
from moorings.target import Context


@pytest.fixture
def colours(tmp_path: Path, runner: RecordingRunner) -> Colours:
    context = Context(Settings(tmp_path), runner, Layout(tmp_path, tmp_path, "mine"), None)
    return Colours(context, tmp_path / "s", tmp_path / "flags")


def test_the_flag_says_which_is_live(colours: Colours) -> None:
    assert colours.address().endswith("/s/blue.sock")
    assert colours.idle is colours.both["green"]
    colours.flag.parent.mkdir()
    colours.flag.touch()
    assert colours.address().endswith("/s/green.sock")
    assert colours.idle is colours.both["blue"]


def test_it_goes_back_only_to_one_that_serves(
    colours: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    colours.flag.parent.mkdir()
    colours.flag.touch()
    colours.back()
    assert colours.flag.exists()
    monkeypatch.setattr(type(colours.idle), "master", object())
    colours.back()
    assert not colours.flag.exists()


def test_each_has_a_folder_of_its_own(colours: Colours) -> None:
    homes = [one.home.name for one in colours.both.values()]
    assert homes == ["blue", "green"]
    assert {one.log.name for one in colours.both.values()} == {"app.log"}


def test_a_folder_of_sockets_that_is_too_long_is_another(tmp_path: Path) -> None:
    assert short(Path("/run/here")) == Path("/run/here")
    deep = tmp_path / ("d" * 100)
    found = short(deep)
    assert len(str(found / "green.sock")) <= 107
    assert short(deep) == found
    assert short(deep / "other") != found


def test_a_supervisor_tells_whether_somebody_waits(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        watched = supervisor.Supervisor(tmp_path, listener.fileno(), "")
        assert watched.waiting() == {"waiting": False}
        with socket.create_connection(listener.getsockname()):
            assert watched.waiting() == {"waiting": True}
            listener.accept()[0].close()
            assert watched.waiting() == {"waiting": False}
