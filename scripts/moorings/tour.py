"""A short walk through the app as its customer would take it, and the trace that it left."""

from dataclasses import dataclass
from uuid import uuid4

import httpx

from moorings import addresses
from moorings.errors import MoorError

#: Seconds that one request of the tour may take.
PATIENCE = 10.0


@dataclass(frozen=True)
class Walk:
    """What the tour did: a line per step, and the trace of its last request."""

    steps: list[str]
    trace_id: str
    """Hexadecimal, 32 digits; empty where the app sent none."""
    odd: str = ""
    """What the operator should look at, though the app answered."""


def store(url: str) -> Walk:
    """Look at the products of the sample, fill a cart, place an order.

    :raises MoorError: at the first answer that is not as it should be.
    """
    with _client(url) as client:
        products = _asked(client, "GET", "/api/products", params={"per_page": 100}).json()
        wanted = [item for item in products["items"] if item["stock"] > 0][:2]
        cart = _asked(client, "POST", "/api/carts").json()
        for item in wanted:
            _asked(client, "PUT", f"/api/carts/{cart['id']}/items/{item['sku']}",
                   json={"quantity": 2})  # fmt: skip
        answer = _asked(
            client,
            "POST",
            "/api/orders",
            json={"cart_id": cart["id"], "email": "customer@example.com"},
            headers={"Idempotency-Key": str(uuid4())},
        )
        order = answer.json()
    names = " and ".join(f"2 x {item['name']}" for item in wanted)
    return Walk(
        [
            f"looked at {products['total']} products",
            f"put {names} into a cart",
            f"placed order {order['number']} for {order['total_cents'] / 100:.2f} EUR",
        ],
        _trace_id(answer),
    )


def any_app(url: str) -> Walk:
    """Ask for the first page of an app that moor knows nothing of.

    :raises MoorError: if it does not answer at all.
    """
    with _client(url) as client:
        answer = _sent(client, "GET", "/")
    step = f"GET / answered {answer.status_code}"
    if answer.is_server_error:
        return Walk([], _trace_id(answer), odd=f"{step}; ./moor logs shows why")
    return Walk([step], _trace_id(answer))


def _client(url: str) -> httpx.Client:
    return addresses.client(url, PATIENCE)


def _sent(client: httpx.Client, method: str, path: str, **body: object) -> httpx.Response:
    try:
        return client.request(method, path, **body)  # type: ignore[arg-type]
    except httpx.HTTPError as problem:
        raise MoorError(f"tour: {method} {path}: {problem}", hint="./moor logs") from None


def _asked(client: httpx.Client, method: str, path: str, **body: object) -> httpx.Response:
    answer = _sent(client, method, path, **body)
    if not answer.is_success:
        raise MoorError(
            f"tour: {method} {path} answered {answer.status_code}: {answer.text[:300]}",
            hint="./moor logs",
        )
    return answer


def _trace_id(answer: httpx.Response) -> str:
    """Read the header of W3C Trace Context level 2: version-trace-span-flags."""
    parts = answer.headers.get("traceresponse", "").split("-")
    return parts[1] if len(parts) == 4 else ""
