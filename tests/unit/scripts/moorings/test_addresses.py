"""A Unix socket as an address: made, asked, refused where it must be, and removed."""

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer
from threading import Thread

import pytest

from moorings import addresses, probe
from moorings.contract import wire
from moorings.settings import Server


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...

    def address_string(self) -> str:
        return "unix"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a ü.sock"


@pytest.fixture
def url(path: Path) -> Iterator[str]:
    """A server on a Unix socket."""
    with UnixStreamServer(str(path), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield addresses.url(f"unix:{path}")
        server.shutdown()
        thread.join()


def dead(path: Path) -> str:
    """Leave the file of a socket that nobody has any more."""
    addresses.listener(f"unix:{path}", None).close()
    return f"unix:{path}"


def test_it_is_asked_like_any_other(url: str, path: Path) -> None:
    assert probe.http(f"{url}/readyz?a=b", what="it", timeout=2).text == "/readyz?a=b"
    assert wire.ask(f"{url}/version").body == b"/version"
    with addresses.client(url, 2) as client:
        assert client.get("/api").text == "/api"
    assert addresses.shown(url) == f"unix:{path}"


def test_the_socket_is_wanted_in_place_of_host_and_port() -> None:
    assert addresses.wanted(Server(port=81)) == "127.0.0.1:81"
    assert addresses.wanted(Server(host="::1", port=81)) == "[::1]:81"
    assert addresses.wanted(Server(socket="/run/a")) == "unix:/run/a"
    assert addresses.url("127.0.0.1:81") == addresses.shown("http://127.0.0.1:81")


def test_one_that_somebody_listens_on_is_taken(url: str, path: Path) -> None:
    need = addresses.need(f"unix:{path}")
    assert (need.what, need.there) == (f"{path} is taken by another process", False)
    addresses.forget(f"unix:{path}", None)
    assert path.exists()


def test_that_of_a_dead_server_is_replaced_and_open_to_a_gateway(path: Path) -> None:
    address = dead(path)
    assert addresses.need(address).there
    with closing(addresses.listener(address, None)) as made:
        assert made.getsockname() == str(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o666


def test_a_dead_one_is_removed_where_it_is_its_owner_s(path: Path) -> None:
    address, me = dead(path), (os.geteuid(), os.getegid())
    addresses.forget(address, (me[0] + 1, me[1]))
    assert path.exists()
    addresses.forget(address, me)
    assert not path.exists()
    addresses.forget(address, me)


def test_a_file_in_its_place_is_left_alone(path: Path) -> None:
    path.touch()
    assert "no socket" in addresses.need(f"unix:{path}").what
    addresses.forget(f"unix:{path}", None)
    assert path.exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("/tmp/" + "ü" * 52, "at most 107 bytes, this one 109"),
        ("run/a.sock", "begins with /"),
        ("/nowhere/a.sock", "/nowhere is no folder"),
    ],
)
def test_a_path_that_cannot_be_one_is_refused(name: str, says: str) -> None:
    need = addresses.need(f"unix:{name}")
    assert not need.there
    assert says in need.what
    assert "server.socket" in need.how


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_nobody_waits_for_a_connection_that_another_took(tmp_path: Path, unix: bool) -> None:
    address = f"unix:{tmp_path / 'a.sock'}" if unix else "127.0.0.1:0"
    with closing(addresses.listener(address, None)) as made, pytest.raises(BlockingIOError):
        made.accept()
