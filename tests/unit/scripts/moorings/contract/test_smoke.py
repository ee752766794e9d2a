"""What a deploy asks before its switch, answered by the runtime itself and by ones that lie."""

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest

from moorings.contract import smoke
from moorings.contract.outcome import CheckFailed
from moorings.contract.wire import Answer
from moorings.target import Release

RELEASE = Release("r1", "c1")
VERSION = {"release": "r1", "commit": "c1", "server": "fake"}


class Quiet(WSGIRequestHandler):
    """Says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Do not log."""


class Threads(ThreadingMixIn, WSGIServer):
    """A thread per connection."""

    daemon_threads = True


@pytest.fixture
def serving() -> Iterator[Callable[[WSGIApplication], str]]:
    """Return a function that serves an app on loopback and returns its URL."""
    servers: list[WSGIServer] = []

    def serve(app: WSGIApplication) -> str:
        server = make_server("127.0.0.1", 0, app, Threads, Quiet)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def app(ready: int = 200, version: object = VERSION, refused: int = 405) -> WSGIApplication:
    """Return an app that answers as the runtime does, unless told otherwise."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path, kind = environ["PATH_INFO"], "application/json"
        status, body = 200, b"{}"
        if path == "/readyz":
            status = ready
        elif path == "/version":
            body = json.dumps(version).encode()
        elif environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            status, kind = refused, smoke.PROBLEM
            body = json.dumps({"status": refused}).encode()
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("Allow", "GET")]
        start_response(f"{status} x", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return answer


Serving = Callable[[WSGIApplication], str]


def test_a_good_release_is_proved(serving: Serving) -> None:
    url = serving(app())
    smoke.prove(url, RELEASE, "fake")
    assert smoke.ready(url, RELEASE, "fake") == "ready, release r1"
    assert smoke.ready(url, None) == "ready, release r1"
    assert smoke.http(url).endswith("exchanges as the standard says")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (app(ready=503), r"^serve\.ready: /readyz answered 503"),
        (app(version={**VERSION, "release": "r0"}), r"^serve\.ready: /version says .*'r0'"),
        (app(version={**VERSION, "server": "other"}), r"^serve\.ready: /version says .*'other'"),
        (app(version=[]), r"^serve\.ready: the answer is not a JSON object"),
        (app(refused=200), r"^serve\.http: 200 instead of 405"),
        (app(refused=500), r"^serve\.http: 500 instead of 405"),
    ],
)
def test_a_bad_one_is_named(serving: Serving, bad: WSGIApplication, said: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        smoke.prove(serving(bad), RELEASE, "fake")
    assert re.search(said, caught.value.fact)


def test_a_problem_must_be_a_document() -> None:
    good = Answer("GET", "/", 404, {"content-type": smoke.PROBLEM}, b'{"status": 404}')
    smoke.problem(good, 404)
    with pytest.raises(CheckFailed, match="404 instead of 405"):
        smoke.problem(good, 405)
    html = Answer("GET", "/", 404, {"content-type": "text/html"}, b"")
    with pytest.raises(CheckFailed, match="404 came as text/html"):
        smoke.problem(html, 404)
