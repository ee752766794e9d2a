"""The collector that fails on demand, between a client and what stands for Jaeger."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from moorings.contract import collector
from moorings.contract.collector import Relay


class Jaeger(HTTPServer):
    took: list[tuple[str, str, bytes]]


@pytest.fixture
def jaeger() -> Iterator[Jaeger]:
    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.took.append((self.path, self.headers["Content-Type"], body))
            self.send_response(202)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = Jaeger(("127.0.0.1", 0), Take)
    server.took = []
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def relay(jaeger: Jaeger) -> Iterator[Relay]:
    with collector.relay(f"http://127.0.0.1:{jaeger.server_port}") as made:
        yield made


def send(relay: Relay, timeout: float = 5.0) -> httpx.Response:
    headers = {"content-type": "application/x-protobuf"}
    url = f"{relay.url}/v1/traces"
    return httpx.post(url, content=b"spans", headers=headers, timeout=timeout, trust_env=False)


def test_what_it_takes_is_handed_on(relay: Relay, jaeger: Jaeger) -> None:
    assert send(relay).status_code == 202
    assert jaeger.took == [("/v1/traces", "application/x-protobuf", b"spans")]


def test_each_fault_is_one(relay: Relay, jaeger: Jaeger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "DELAY", 0.2)
    relay.become(collector.REFUSED)
    with pytest.raises(httpx.ConnectError):
        send(relay)
    relay.become(collector.SILENT)
    with pytest.raises(httpx.ReadTimeout):
        send(relay, timeout=0.2)
    relay.become(collector.BUSY)
    assert send(relay).status_code == 503
    relay.become(collector.LIMITED)
    answer = send(relay)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert jaeger.took == []
    relay.become(collector.SLOW)
    assert send(relay).elapsed.total_seconds() >= 0.2
    relay.become(collector.FINE)
    assert send(relay).status_code == 202
    assert len(jaeger.took) == 2
