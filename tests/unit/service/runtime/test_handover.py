"""Two servers, one listening socket: the second takes over, and no client notices."""

import contextlib
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., Any]


class Connection(HTTPConnection):
    """A connection to whatever kind of address a socket listens on."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__("test", timeout=20)
        self._listener = listener

    def connect(self) -> None:
        self.sock = socket.socket(self._listener.family)
        self.sock.settimeout(20)
        self.sock.connect(self._listener.getsockname())


class Clients:
    """Ask for /version all the time, two of them on the connections that they open at once."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._stop = threading.Event()
        self.releases: Counter[str] = Counter()
        self.told_to_close: set[int] = set()
        self._pool = ThreadPoolExecutor(4)
        self._running: list[Future[None]] = []
        self._kept = [Connection(listener) for _ in range(2)]
        for client in self._kept:
            client.connect()
            self._version(client)

    def begin(self) -> None:
        once = [Connection(self._listener) for _ in range(2)]
        self._running = [self._pool.submit(self._ask, client, "") for client in self._kept]
        self._running += [self._pool.submit(self._ask, client, "close") for client in once]

    def _ask(self, client: Connection, connection: str) -> None:
        with contextlib.closing(client):
            while not self._stop.is_set():
                if self._version(client, connection) == "close" and not connection:
                    self.told_to_close.add(threading.get_ident())

    def _version(self, client: Connection, connection: str = "") -> str | None:
        client.request("GET", "/version", headers={"Connection": connection} if connection else {})
        answer = client.getresponse()
        self.releases[json.loads(answer.read())["release"]] += 1
        return answer.getheader("Connection")

    def failed(self) -> bool:
        return any(client.done() for client in self._running)

    def end(self) -> None:
        """Stop; raises what a client met: a reset, a refusal, no answer."""
        self._stop.set()
        for client in self._running:
            client.result(20)


@pytest.fixture(params=["tcp", "unix"])
def listener(request: Any, tmp_path: Path) -> Iterator[socket.socket]:
    family, address = socket.AF_INET, ("127.0.0.1", 0)
    if request.param == "unix":
        family, address = socket.AF_UNIX, str(tmp_path / "socket")
    with socket.socket(family) as made:
        made.bind(address)
        made.listen(64)
        yield made


def test_no_request_is_lost(start: Start, listener: socket.socket, tmp_path: Path) -> None:
    drain = tmp_path / "drain"
    old = start(listener=listener, web_concurrency="1", release="old", drain_file=str(drain))
    old.wait_ready(1)
    clients = Clients(listener)
    new = start(listener=listener, web_concurrency="1", release="new")
    new.wait_ready(1)
    clients.begin()
    drain.touch()
    old.until(lambda: len(clients.told_to_close) == 2 or clients.failed(), "the announcement")
    old.stop()
    before = clients.releases["old"]
    served = clients.releases["new"]
    old.until(lambda: clients.releases["new"] >= served + 40, "the new one serves")
    clients.end()
    assert clients.releases["old"] == before
    assert (old.process.returncode, old.stderr(), new.stderr()) == (0, "", "")


def test_a_client_that_stays_after_its_answer_delays_nobody(start: Start) -> None:
    server = start(web_concurrency="1")
    server.wait_ready(1)
    request = b"GET /version HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            stays = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            stays.sendall(request)
            # The answer's end is seen at once, though this side does not close.
            assert stays.makefile("rb").read().startswith(b"HTTP/1.1 200 ")
        began = time.monotonic()
        assert server.ask("/version")[0].status == 200
        assert time.monotonic() - began < 1
    assert server.stop() < 3


def test_what_waits_for_a_thread_is_answered(start: Start) -> None:
    server = start(web_concurrency="1", threads="2")
    server.wait_ready(1)
    with contextlib.ExitStack() as stack:
        clients = [HTTPConnection("127.0.0.1", server.port, timeout=20) for _ in range(8)]
        for client in clients:
            stack.enter_context(contextlib.closing(client))
            client.request("GET", "/slow/300", headers={"Connection": "close"})
        # Two at a time: six wait or run when the first is answered.
        assert clients[0].getresponse().read() == b"done"
        server.process.terminate()
        assert [client.getresponse().read() for client in clients[1:]] == [b"done"] * 7
