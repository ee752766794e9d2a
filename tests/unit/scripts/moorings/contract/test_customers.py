"""Customers, against a shop that keeps its promises, one that does not, and one that is away."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from moorings.contract import customers
from moorings.contract.customers import ordering
from moorings.contract.outcome import CheckFailed


@dataclass
class Shop:
    """What a small server answers to orders."""

    url: str = ""
    keeps: bool = True
    refuses: int = 0
    """Further requests that it answers 503."""
    orders: dict[str, str] = field(default_factory=dict)

    def order(self, key: str) -> str:
        """Return the number of an order; one that forgets has another one each time."""
        number = f"N-{len(self.orders)}-{key[:4]}"
        if self.keeps:
            return self.orders.setdefault(key, number)
        self.orders[key] = number + "-again" * (key in self.orders)
        return self.orders[key]

    def answer(self, path: str, key: str) -> tuple[int, object]:
        """Return a status and a document."""
        if self.refuses:
            self.refuses -= 1
            return 503, {}
        if path == "/api/orders":
            return 201, {"number": self.order(key)}
        if path == "/api/carts":
            return 201, {"id": "cart"}
        return 200, {"items": [{"sku": f"p{at}"} for at in range(8)]}


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Lend a shop on loopback."""
    made = Shop()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, document = made.answer(self.path, self.headers.get("Idempotency-Key", ""))
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_GET

        def log_message(self, format: str, *_: object) -> None:
            """Say nothing."""

    monkeypatch.setattr(customers, "PAUSE", 0.001)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield made
        server.shutdown()


def test_each_order_is_kept_by_its_key(shop: Shop) -> None:
    with ordering(shop.url) as found:
        found.wait(8)
        found.leave()
    assert {one.key: one.number for one in found.bought} == shop.orders
    assert found.failures == []


def test_a_customer_asks_again_with_the_same_key(shop: Shop) -> None:
    with ordering(shop.url) as found:
        found.wait(4)
        shop.refuses = 5
        found.wait(8)
        found.leave()
    assert found.failures == ["answered 503"] * 5
    assert {one.key: one.number for one in found.bought} == shop.orders


def test_another_order_by_the_same_key_is_told(shop: Shop) -> None:
    shop.keeps = False
    with (
        pytest.raises(CheckFailed, match=r"became .* by the same key"),
        ordering(shop.url) as found,
    ):
        found.wait(40)


def test_a_shop_that_stays_away_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customers, "INSISTS", 0.2)
    shop.refuses = 1000
    with pytest.raises(CheckFailed, match=r"failed for .*answered 503"), ordering(shop.url):
        pass
