"""The gateway's own files under a real nginx, before an app of a few lines on loopback."""

import json
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from moorings import packages, ports, probe
from moorings.contract import wire
from moorings.contract.wire import Answer

FILES = Path(__file__).parents[3] / "deploy" / "parts" / "nginx"
NGINX = packages.find("nginx")
TRACE = "0af7651916cd43dd8448eb211c80319c"

pytestmark = pytest.mark.skipif(not NGINX, reason="needs nginx: apt-get install nginx")


class App(ThreadingHTTPServer):
    """Says back what arrived; keeps every request that it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        app = self.server
        assert isinstance(app, App)
        app.asked.append(self.path)
        if self.path == "/dies":
            return
        said = json.dumps({"path": self.path, **dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("traceresponse", f"00-{TRACE}-b7ad6b7169203331-01")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@dataclass
class Gateway:
    """A running nginx in a folder of its own."""

    folder: Path
    port: int
    inner: int

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return wire.ask(f"http://127.0.0.1:{self.port}{path}", method, named)

    def flag(self, name: str) -> Path:
        return self.folder / "flags" / name

    def lines(self, count: int = 1) -> list[dict[str, object]]:
        """Return that many: nginx writes a line after its answer has gone."""

        def written() -> list[str] | None:
            lines = (self.folder / "access.log").read_text().splitlines()
            return lines if len(lines) >= count else None

        found = probe.until(written, what=f"{count} lines", timeout=5, every=0.01)
        return [json.loads(line) for line in found]


@pytest.fixture
def app() -> Iterator[App]:
    with App() as made:
        yield made
        made.shutdown()


@pytest.fixture
def gateway(tmp_path: Path, app: App) -> Iterator[Gateway]:
    yield from started(tmp_path, {"blue": f"127.0.0.1:{app.server_port}"})


def started(tmp_path: Path, variables: dict[str, str]) -> Iterator[Gateway]:
    folder = tmp_path / "gateway"
    shutil.copytree(FILES, folder)
    (folder / "flags").mkdir()
    made = Gateway(folder, ports.free("127.0.0.1"), ports.free("127.0.0.1"))
    text = (folder / "local.conf").read_text()
    text = text.replace("8080", str(made.port)).replace("8081", str(made.inner))
    for name, value in {"public": str(tmp_path / "public"), **variables}.items():
        text = re.sub(rf"set \${name} .*;", f"set ${name} {value};", text)
    (folder / "local.conf").write_text(text)
    # No test waits for 10 s.
    conf = folder / "nginx.conf"
    conf.write_text(re.sub(r"(client_(header|body)_timeout) 10s", r"\1 1s", conf.read_text()))
    # A root's workers are nobody, who must reach the folder below pytest's own.
    main = "user root;" if tmp_path.owner() == "root" else "worker_processes 1;"
    argv = [NGINX, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr", "-g", main]
    with subprocess.Popen(argv, cwd=folder, stderr=subprocess.PIPE) as nginx:
        try:
            url = f"http://127.0.0.1:{made.inner}/-/gateway"
            probe.http(url, what="nginx", timeout=10)
            yield made
        finally:
            nginx.terminate()
            nginx.communicate(timeout=10)


def test_operators_paths_are_for_the_inner_door(gateway: Gateway, app: App) -> None:
    for path in ("/metrics", "/readyz", "/_probe/sleep/0", "/-/gateway"):
        answer = gateway.ask(path)
        assert (answer.status, answer.type) == (404, "application/problem+json"), path
    assert app.asked == []
    for path in ("/metrics", "/readyz", "/_probe/sleep/0"):
        assert wire.ask(f"http://127.0.0.1:{gateway.inner}{path}").status == 200


def test_a_drain_is_announced_and_all_else_goes_on(gateway: Gateway) -> None:
    with wire.Connection(f"http://127.0.0.1:{gateway.port}") as connection:
        assert connection.ask("GET", "/").headers["connection"] == "keep-alive"
        gateway.flag("drain").touch()
        answer = connection.ask("GET", "/again")
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert json.loads(answer.body)["path"] == "/again"
    assert gateway.ask("/metrics").headers["connection"] == "close"


def test_maintenance_is_for_clients_alone(gateway: Gateway, app: App) -> None:
    gateway.flag("maintenance").touch()
    answer = gateway.ask("/")
    assert (answer.status, answer.type) == (503, "application/problem+json")
    assert int(answer.headers["retry-after"]) > 0
    assert app.asked == []
    assert gateway.ask("/healthz").status == 200
    assert wire.ask(f"http://127.0.0.1:{gateway.inner}/").status == 200
    gateway.flag("maintenance").unlink()
    assert gateway.ask("/").status == 200


def test_what_a_client_says_of_itself_goes_no_further(gateway: Gateway) -> None:
    answer = gateway.ask(
        "/", X_Forwarded_For="9.9.9.9", X_Forwarded_Proto="https", X_Forwarded_Host="evil",
        Forwarded="for=9.9.9.9", X_Real_IP="9.9.9.9", X_Forwarded_Prefix="/evil",
    )  # fmt: skip
    said = json.loads(answer.body)
    assert said["X-Forwarded-For"] == "127.0.0.1"
    assert said["X-Forwarded-Proto"] == "http"
    assert said["X-Forwarded-Host"] == f"127.0.0.1:{gateway.port}"
    assert {"Forwarded", "X-Real-IP", "X-Forwarded-Prefix"}.isdisjoint(said)


def test_the_last_proxies_are_believed_by_their_count(tmp_path: Path, app: App) -> None:
    variables = {"blue": f"127.0.0.1:{app.server_port}", "hops": "2"}
    for gateway in started(tmp_path, variables):
        answer = gateway.ask("/", X_Forwarded_For="6.6.6.6, 1.2.3.4, 10.0.0.1")
        assert json.loads(answer.body)["X-Forwarded-For"].endswith("1.2.3.4, 10.0.0.1, 127.0.0.1")
        assert gateway.lines()[-1]["client"] == "1.2.3.4"


def test_a_line_names_the_trace_and_no_query(gateway: Gateway) -> None:
    gateway.ask("/a?token=secret")
    asked = "4bf92f3577b34da6a3ce929d0e0e4736"
    gateway.ask("/metrics", traceparent=f"00-{asked}-00f067aa0ba902b7-01")
    first, second = gateway.lines(2)
    assert (first["trace_id"], first["path"], first["status"]) == (TRACE, "/a", 200)
    assert isinstance(first["app_seconds"], float)
    assert second["trace_id"] == asked
    assert second["app_seconds"] is None


def test_a_path_arrives_in_the_bytes_of_the_client(gateway: Gateway, app: App) -> None:
    for path in ("/a//b/../c", "/a/%2e%2E/x", "/gr%C3%B6%C3%9Fe?q=%20"):
        gateway.ask(path)
    assert app.asked == ["/a//b/../c", "/a/%2e%2E/x", "/gr%C3%B6%C3%9Fe?q=%20"]


def test_only_what_was_refused_is_tried_again(tmp_path: Path, app: App) -> None:
    spare = f"127.0.0.1:{app.server_port}"
    refuses = {"blue": f"127.0.0.1:{ports.free('127.0.0.1')}", "spare": spare}
    for gateway in started(tmp_path, refuses):
        assert gateway.ask("/", "POST").status == 200
        assert app.asked == ["/"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_was_sent_is_not_sent_twice(gateway: Gateway, app: App, method: str) -> None:
    answer = gateway.ask("/dies", method)
    assert (answer.status, answer.type) == (502, "application/problem+json")
    assert app.asked == ["/dies"]


def test_a_flag_moves_requests_to_the_other_address(tmp_path: Path, app: App) -> None:
    with App() as other:
        addresses = {"blue": f"127.0.0.1:{app.server_port}"}
        addresses["green"] = f"127.0.0.1:{other.server_port}"
        for gateway in started(tmp_path, addresses):
            gateway.ask("/first")
            gateway.flag("green").touch()
            gateway.ask("/second")
        other.shutdown()
    assert (app.asked, other.asked) == (["/first"], ["/second"])


def test_an_app_is_reached_by_its_unix_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        path = tmp_path / "app.sock"
        listener.bind(str(path))
        listener.listen()
        for gateway in started(tmp_path, {"blue": f"unix:{path}"}):
            served = threading.Thread(target=_answer_one, args=(listener,))
            served.start()
            assert gateway.ask("/").body == b"by socket"
            served.join(5)


def _answer_one(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nby socket")


def test_static_files_and_no_way_out(gateway: Gateway, tmp_path: Path, app: App) -> None:
    release = tmp_path / "v1"
    (release / "static").mkdir(parents=True)
    (release / "static" / "a.css").write_text("a {}")
    (release / "secret.py").write_text("secret")
    (release / "static" / "out.css").symlink_to(release / "secret.py")
    (tmp_path / "public").symlink_to(release)
    answer = gateway.ask("/static/a.css")
    assert (answer.body, answer.type) == (b"a {}", "text/css")
    assert "max-age" in answer.headers["cache-control"]
    assert "etag" in answer.headers
    assert app.asked == []
    for path in ("/static/out.css", "/static/../secret.py", "/static/%2e%2e/secret.py"):
        assert gateway.ask(path).body != b"secret", path


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/" + "a" * 9000, {}, 414),
        ("/", {"X-Long": "a" * 9000}, 431),
        ("/%00", {}, 400),
    ],
)
def test_what_is_too_much_is_a_problem(
    gateway: Gateway, path: str, headers: dict[str, str], status: int
) -> None:
    answer = gateway.ask(path, **headers)
    assert (answer.status, answer.type) == (status, "application/problem+json")
    assert json.loads(answer.body)["status"] == status
    (line,) = gateway.lines()
    assert line["status"] == status
    assert len(str(line)) < 1500


def test_a_body_that_is_too_long_is_refused_before_it_is_sent(gateway: Gateway) -> None:
    with wire.Connection(f"http://127.0.0.1:{gateway.port}") as connection:
        head = connection.head("POST", "/", {"Content-Length": str(10**9)})
        answer = connection.read(head)
    assert (answer.status, answer.type) == (413, "application/problem+json")
    (line,) = gateway.lines()
    assert line["status"] == 413


@pytest.mark.parametrize(
    "begun", [b"GET / HTT", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"]
)
def test_a_client_that_is_too_slow_has_a_line(gateway: Gateway, app: App, begun: bytes) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), 10) as client:
        client.sendall(begun)
        while client.recv(4096):
            pass
    (line,) = gateway.lines()
    assert (line["status"], line["client"]) == (408, "127.0.0.1")
    assert app.asked == []
