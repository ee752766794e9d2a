"""Which commands the target apache means, and what it wants, without running Apache."""

import signal
from pathlib import Path

import pytest

from moorings import settings, targets
from moorings.layout import Layout
from moorings.target import Context, Release
from moorings.targets import apache

RELEASE = Release("v1", "c").running_in({"WEB_CONCURRENCY": "2"})


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    folder = tmp_path / "modules"
    folder.mkdir()
    return folder


@pytest.fixture
def target(tmp_path: Path, modules: Path, runner) -> apache.Apache:
    flags = {"server.port": "8123", "apache.modules": str(modules)}
    context = Context(
        settings.load(tmp_path, {}, flags, targets.sections()),
        runner,
        Layout(tmp_path, tmp_path / "state", "x"),
        None,
    )
    return apache.Apache(context)


def module(folder: Path, python: str) -> None:
    (folder / "mod_wsgi.so").write_bytes(b"\x7fELF\0libpython" + python.encode() + b".so.1.0\0")


def test_a_missing_module_names_the_packages_to_install(target: apache.Apache) -> None:
    (need,) = target.needs()
    assert not need.there
    assert need.packages == ("apache2-bin", "libapache2-mod-wsgi-py3")


def test_a_module_of_another_python_is_named(
    target: apache.Apache, modules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(modules, "3.99")
    monkeypatch.setattr(apache, "PROGRAM", modules / "mod_wsgi.so")
    need = target.needs()[0]
    assert need.what == "mod_wsgi is built for Python 3.99, and /usr/bin/python3.99 is not there"
    assert not need.there


def test_the_module_of_a_debug_build_is_read_too(target: apache.Apache, modules: Path) -> None:
    module(modules, "3.99d")
    with pytest.raises(apache.NeedError, match=r"Python 3\.99,"):
        target._python_of_module()


def test_the_command_line(target: apache.Apache) -> None:
    argv = target.server.argv(Path("/r/deploy/apache"), Path("/e/bin"))
    assert argv == ["/usr/sbin/apache2", "-f", "/r/deploy/apache/httpd.conf", "-D", "FOREGROUND"]
    assert target.server.checking(argv)[-1] == "-t"


def test_it_is_stopped_by_the_signal_that_waits_for_requests(
    target: apache.Apache, tmp_path: Path
) -> None:
    target.releases._environments["v1"] = tmp_path / "environment"
    launch = target._launch(RELEASE)
    assert launch.ends_by == signal.SIGWINCH
    assert launch.env["VIRTUAL_ENV"] == f"{tmp_path}/environment"


def test_the_line_that_apache_refuses_is_shown() -> None:
    log = (
        "AH00526: Syntax error on line 3 of /c/httpd.conf:\nInvalid command 'Lisen'\nAction failed"
    )
    said = apache._line(log)
    assert said == "AH00526: Syntax error on line 3 of /c/httpd.conf: Invalid command 'Lisen'"
