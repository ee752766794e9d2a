"""The flag of maintenance, and a deploy while it is up."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import cast

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.errors import NotReadyError
from moorings.runner import Command, Result
from moorings.services.kube_endpoints import KubeEndpoints
from moorings.services.kube_flag import Flag
from moorings.services.kubectl import Kubectl
from moorings.target import Endpoints

UP = Result(0, json.dumps({"metadata": {"name": "flags"}}))


class Doors(BaseHTTPRequestHandler):
    """The gateway in maintenance, its inner door, and a pod of the release v2."""

    def do_GET(self) -> None:
        said = {"/inner/readyz": b"{}", "/pod/version": b'{"release": "v2"}'}.get(self.path)
        self.send_response(503 if said is None else 200)
        self.end_headers()
        self.wfile.write(said or b"")

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Doors)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Where:
    """Finds the doors at one URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def public(self) -> str:
        return f"{self.url}/public"

    def all(self) -> Endpoints:
        return Endpoints(self.public(), f"{self.url}/inner", True, lambda: (f"{self.url}/pod",))

    def forget(self) -> None:
        pass


class Client(RecordingRunner):
    """Has the flag, or not."""

    def __init__(self, flag: Result) -> None:
        super().__init__()
        self.flag = flag

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        return self.flag if command.argv[1] == "get" else Result(0)


@pytest.fixture(autouse=True)
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubectl").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def flag(client: Client, url: str, folder: Path) -> Flag:
    return Flag(Kubectl(client, {}), cast(KubeEndpoints, Where(url)), folder)


def test_a_release_is_proved_behind_the_flag(tmp_path: Path, url: str) -> None:
    flag(Client(UP), url, tmp_path).serves("v2", timeout=5)


def test_another_one_is_not(tmp_path: Path, url: str) -> None:
    with pytest.raises(NotReadyError, match="send clients to v1"):
        flag(Client(UP), url, tmp_path).serves("v1", timeout=0)


def test_without_the_flag_it_is_asked_where_clients_ask(tmp_path: Path, url: str) -> None:
    with pytest.raises(NotReadyError, match="503"):
        flag(Client(Result(0)), url, tmp_path).serves("v2", timeout=0)


def test_it_belongs_to_moor_so_that_down_finds_it(tmp_path: Path, url: str) -> None:
    client = Client(UP)
    flag(client, url, tmp_path).put(on=True)
    (made,) = json.loads((tmp_path / "flag.json").read_text())["items"]
    assert made["metadata"]["labels"]["app.kubernetes.io/part-of"] == "moorings"
    assert [argv[1] for argv in client.argvs] == ["apply", "annotate"]
