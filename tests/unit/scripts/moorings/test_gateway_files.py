"""What is written for nginx, and what makes it another configuration."""

from dataclasses import replace
from pathlib import Path

import pytest

from moorings import gateway_files
from moorings.errors import SettingsError
from moorings.gateway_files import Behind
from moorings.settings import Server

SERVER = Server(deadline=30, keep_alive=5, max_body=1000, proxy_hops=1)


@pytest.fixture
def behind(tmp_path: Path) -> Behind:
    (tmp_path / "nginx.conf").write_text("http {}")
    return Behind(tmp_path, ("unix:/b.sock", "unix:/g.sock"), "http", Path("/p"), Path("/f"))


def test_the_whole_of_it(behind: Behind) -> None:
    text = gateway_files.local(behind, SERVER, "127.0.0.1:8000", 9000, Path("/run/drain"))
    assert text.splitlines() == [
        "# Written by moor.",
        "listen 127.0.0.1:8000 backlog=2048;",
        "listen 127.0.0.1:9000;",
        'set $inner_port "9000";',
        'set $blue "unix:/b.sock";',
        'set $green "unix:/g.sock";',
        'set $spare "";',
        'set $protocol "http";',
        'set $flags "/f";',
        'set $drain "/run/drain";',
        'set $public "/p";',
        'set $hops "1";',
        'set $probe "0";',
        "keepalive_timeout 5s;",
        "client_max_body_size 1000;",
        "proxy_read_timeout 35s;",
        "uwsgi_read_timeout 35s;",
    ]


def test_an_app_without_a_deadline_may_be_silent_for_long(behind: Behind) -> None:
    text = gateway_files.local(behind, replace(SERVER, deadline=0), "[::1]:80", 1, Path("/d"))
    assert "proxy_read_timeout 3600s;" in text


def test_a_run_has_its_own_copy_and_its_log(behind: Behind, tmp_path: Path) -> None:
    folder, log = tmp_path / "run", tmp_path / "access.log"
    folder.mkdir()
    gateway_files.write(folder, behind, SERVER, "127.0.0.1:8000", 9000, log)
    assert (folder / "nginx.conf").read_text() == "http {}"
    assert (folder / "access.log").readlink() == log
    assert f'set $drain "{folder}/drain";' in (folder / "local.conf").read_text()


def test_what_makes_another_configuration(behind: Behind) -> None:
    def digest(server: Server = SERVER) -> str:
        return gateway_files.digest(behind, server, "127.0.0.1:8000")

    same = digest()
    assert digest(replace(SERVER, workers=7)) == same
    assert digest(replace(SERVER, max_body=1)) != same
    (behind.files / "nginx.conf").write_text("http { }")
    assert digest() != same


def test_a_path_with_a_variable_in_it_is_refused(behind: Behind) -> None:
    with pytest.raises(SettingsError, match=r"nginx cannot be told a path with \$"):
        gateway_files.local(behind, SERVER, "127.0.0.1:1", 2, Path("/a$b"))
