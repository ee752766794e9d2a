"""A server that is to be retired says so on every answer, before it closes anything."""

import os
import select
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from runtime.servers.drain import Drain

Start = Callable[..., Any]


def test_a_drain_begins_and_ends_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "drain"
    assert not Drain(str(file)).announced()
    file.touch()
    drain = Drain(str(file))
    assert drain.announced()
    file.unlink()
    assert not Drain(str(file)).announced()


def test_without_a_name_there_is_no_drain() -> None:
    assert not Drain("").announced()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "drain"


@pytest.fixture
def server(start: Start, file: Path) -> Any:
    started = start(web_concurrency="1", drain_file=str(file))
    started.wait_ready(1)
    return started


@pytest.fixture
def client(server: Any) -> Iterator[HTTPConnection]:
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=10)) as client:
        yield client


def connection(client: HTTPConnection, path: str = "/items/1") -> str | None:
    """Ask and read; returns what the answer says of its connection."""
    client.request("GET", path)
    answer = client.getresponse()
    answer.read()
    assert answer.status == 200
    return answer.getheader("Connection")


def closes(client: HTTPConnection) -> bool:
    return connection(client) == "close"


def test_a_kept_connection_is_told_to_close(server: Any, client: Any, file: Path) -> None:
    assert connection(client) == "keep-alive"
    opened = client.sock
    file.touch()
    server.until(lambda: closes(client), "the announcement")
    # The client had the same connection till then, and opens a new one now.
    assert client.sock is not opened
    file.unlink()
    server.until(lambda: not closes(client), "the end of the announcement")


def test_a_request_that_was_running_is_told_too(server: Any, client: Any, file: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(connection, client, "/slow/800")
        server.until(lambda: b"active_requests 1.0" in server.ask("/metrics")[1], "one runs")
        file.touch()
        assert running.result() == "close"


def test_a_connection_that_idles_over_a_stop_is_answered(server: Any, client: Any) -> None:
    assert connection(client) == "keep-alive"
    opened = client.sock
    os.kill(server.process.pid, signal.SIGTERM)
    # Longer than Gunicorn would keep it, and less than KEEP_ALIVE: nothing may happen to it.
    assert select.select([opened], [], [], 3.0)[0] == []
    assert connection(client) == "close"


def test_an_asgi_worker_announces_that_it_is_replaced(start: Start) -> None:
    server = start(web_concurrency="1", worker_class="asgi", max_requests="3", keep_alive="1")
    (old,) = server.wait_ready(1)
    said = []
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=10)) as client:
        while "close" not in said:
            said.append(connection(client))
    # At random up to half more; the answer after the last says it, none is closed unannounced.
    assert len(said) in (4, 5)
    server.until(lambda: set(server.pids()) - {old}, "another worker")
    assert server.ask("/items/1")[0].status == 200


def test_a_cut_request_says_once_that_its_connection_closes(start: Start, file: Path) -> None:
    file.touch()
    server = start(
        web_concurrency="1", worker_class="asgi", request_deadline="1", drain_file=str(file)
    )
    server.wait_ready(1)
    response, _ = server.ask("/spin")
    assert response.status == 504
    assert response.headers.get_all("Connection") == ["close"]


def test_an_end_is_announced_by_the_process_itself() -> None:
    drain = Drain("")
    drain.begin()
    assert drain.announced()
