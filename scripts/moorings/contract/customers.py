"""Customers of the sample store: each asks for its order until it is answered, and keeps what was.

A retry has the key of the first try, as any client must have that cannot lose an order.
"""

import itertools
import json
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from moorings import probe
from moorings.contract import wire
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.wire import Answer, WireError

#: Customers at once; each pauses between two orders, so that the stock lasts.
MANY, PAUSE = 4, 0.2

#: Seconds between two tries, within which one is answered, and for which one asks in all.
AGAIN, ANSWERED, INSISTS = 0.1, 5.0, 30.0


@dataclass(frozen=True)
class Order:
    """An order as the app has answered it."""

    cart: str
    key: str
    number: str


@dataclass
class Customers:
    """What came of all that they asked for."""

    url: str
    bought: list[Order] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """What came in place of an answer, or with a status of 500 and more."""
    longest: float = 0.0
    """Seconds until one was answered."""
    pause: float = PAUSE
    """Seconds of one between two orders."""
    closing: threading.Event = field(default_factory=threading.Event)
    _visits: list[Future[None]] = field(default_factory=list)

    def go(self, pool: ThreadPoolExecutor) -> None:
        """Let them come, each for products of its own: two that want one wait for each other."""
        skus = [item["sku"] for item in self._insist("GET", "/api/products?per_page=100")["items"]]
        self._visits += [pool.submit(self._shop, skus[at::MANY]) for at in range(MANY)]

    def _shop(self, skus: list[str]) -> None:
        for sku in itertools.cycle(skus):
            if self.closing.wait(self.pause):
                return
            cart = self._insist("POST", "/api/carts")["id"]
            self._insist("PUT", f"/api/carts/{cart}/items/{sku}", {"quantity": 1})
            key = str(uuid4())
            order = Order(cart, key, self._ordered(cart, key))
            self.bought.append(order)
            self.again(order)

    def _ordered(self, cart: str, key: str) -> str:
        """Order what is in a cart, and return the number of the order."""
        headers = {"Idempotency-Key": key}
        return str(self._insist("POST", "/api/orders", {"cart_id": cart}, headers)["number"])

    def again(self, order: Order) -> None:
        """Order the same with the same key; it must be the same order.

        :raises CheckFailed: where it is another one.
        """
        number = self._ordered(order.cart, order.key)
        claim(number == order.number, f"order {order.number} became {number} by the same key")

    def _insist(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Ask until it is answered, and return what the answer says.

        :raises CheckFailed: where it is refused, or is not answered in time.
        """
        began = time.monotonic()
        content = json.dumps(body).encode() if body is not None else b""
        sent = {"Content-Type": "application/json", **(headers or {})}
        while (answer := self._try(method, path, sent, content)) is None:
            late = time.monotonic() - began > INSISTS
            last = self.failures[-1]
            claim(not late, f"{method} {path} failed for {INSISTS:.0f} s, at last: {last}")
            time.sleep(AGAIN)
        self.longest = max(self.longest, time.monotonic() - began)
        claim(answer.status < 400, f"{method} {path} answered {answer.status}", answer)
        found: dict[str, Any] = json.loads(answer.body)
        return found

    def _try(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Answer | None:
        try:
            answer = wire.ask(self.url + path, method, headers, body, ANSWERED)
        except WireError as problem:
            self.failures.append(problem.fact)
            return None
        if answer.status < 500:
            return answer
        self.failures.append(f"answered {answer.status}")
        return None

    def wait(self, orders: int) -> None:
        """Wait for so many further orders.

        :raises CheckFailed: what one of them ran into.
        """
        goal = len(self.bought) + orders

        def reached() -> bool | None:
            for one in self._visits:
                if one.done():
                    one.result()
            return True if len(self.bought) >= goal else None

        probe.until(reached, what=f"{orders} orders", timeout=INSISTS,
                    last=lambda: f"{len(self.bought)} of {goal}; {self.failures[-1:]}")  # fmt: skip

    def leave(self) -> None:
        """Let each have its last answer.

        :raises CheckFailed: what one of them ran into.
        """
        self.closing.set()
        done, _ = wait(self._visits, timeout=INSISTS + ANSWERED, return_when=FIRST_EXCEPTION)
        for one in done:
            one.result()
        if len(done) < len(self._visits):
            raise CheckFailed("a customer got no answer")


@contextmanager
def ordering(url: str, pause: float = 0.0) -> Iterator[Customers]:
    """Have customers for the length of a block; `leave` in there tells what the last ran into.

    :param pause: seconds of one between two orders; 0: as usual.
    """
    customers = Customers(url, pause=pause or PAUSE)
    with ThreadPoolExecutor(MANY, "customer") as pool:
        try:
            customers.go(pool)
            yield customers
        finally:
            customers.closing.set()
