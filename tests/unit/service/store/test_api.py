"""The API over WSGI: the tour, paging, accounts, bad input."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from store import create_app
from store.settings import Settings

CART = "A" * 22


def test_a_client_without_cookies_can_shop(app: Flask) -> None:
    client = app.test_client(use_cookies=False)
    created = client.post("/api/carts")
    cart = created.json["id"]
    assert (created.status_code, created.headers["Location"]) == (201, f"/api/carts/{cart}")
    filled = client.put(f"/api/carts/{cart}/items/eggs", json={"quantity": 2})
    assert filled.json == {
        "id": cart,
        "items": [{"sku": "eggs", "quantity": 2, "total_cents": 798}],
        "total_cents": 798,
    }
    headers = {"Idempotency-Key": "one"}
    placed = client.post("/api/orders", json={"cart_id": cart}, headers=headers)
    again = client.post("/api/orders", json={"cart_id": cart}, headers=headers)
    assert (placed.status_code, again.status_code) == (201, 200)
    assert placed.json == again.json
    assert client.get(placed.headers["Location"]).json == placed.json
    assert placed.json["created_at"].endswith("Z")


def test_quantity_zero_takes_the_item_out(client: FlaskClient) -> None:
    path = f"/api/carts/{client.post('/api/carts').json['id']}/items/eggs"
    assert len(client.put(path, json={"quantity": 1}).json["items"]) == 1
    assert client.put(path, json={"quantity": 0}).json["items"] == []


def test_paging_visits_each_product_once(client: FlaskClient) -> None:
    seen: list[str] = []
    following = "/api/products?per_page=7"
    while following:
        page = client.get(following).json
        assert len(page["items"]) <= 7
        seen += [item["sku"] for item in page["items"]]
        following = page["next"]
    assert len(seen) == len(set(seen)) == page["total"] > 30


def test_search_keeps_to_its_category_and_takes_wildcards_as_text(client: FlaskClient) -> None:
    found = client.get("/api/products?q=CHEESE&category=dairy-eggs").json["items"]
    assert {item["sku"] for item in found} == {"mountain-cheese", "goat-cheese"}
    assert client.get("/api/products?q=100%25").json["total"] == 0
    assert client.get("/api/products?q=cheese&category=drinks").json["total"] == 0


def test_an_account_sees_its_orders(client: FlaskClient) -> None:
    account = {"email": "Ann@Example.com", "password": "long enough"}
    assert client.get("/api/orders").status_code == 401
    assert client.post("/api/users", json=account).json == {"email": "ann@example.com"}
    assert client.post("/api/users", json=account).status_code == 409
    entered = client.post("/api/session", json=account)
    cookie = entered.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    cart = entered.json["cart_id"]
    client.put(f"/api/carts/{cart}/items/eggs", json={"quantity": 1})
    placed = client.post("/api/orders", json={"cart_id": cart}).json
    assert placed["email"] == "ann@example.com"
    assert client.get("/api/orders").json == {"items": [placed]}
    assert client.delete("/api/session").status_code == 204
    assert client.get("/api/orders").status_code == 401
    assert client.get(f"/api/orders/{placed['number']}").status_code == 404


def test_the_cookie_is_for_tls_where_the_client_came_over_tls(client: FlaskClient) -> None:
    client.post("/api/users", json={"email": "a@example.com", "password": "long enough"})
    for scheme in ("http", "https"):
        answer = client.post(
            f"{scheme}://localhost/api/session",
            json={"email": "a@example.com", "password": "long enough"},
        )
        assert ("Secure" in answer.headers["Set-Cookie"]) is (scheme == "https")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/orders", b"{", 400),
        ("POST", "/api/orders", b"", 400),
        ("POST", "/api/orders", b"\xff\xfe", 400),
        ("POST", "/api/orders", b'{"cart_id": "\xff"}', 400),
        ("POST", "/api/orders", b"[" * 100_000, 400),
        ("POST", "/api/orders", b"null", 422),
        ("POST", "/api/orders", b"[]", 422),
        ("POST", "/api/orders", b'{"cart_id": 7}', 422),
        ("POST", "/api/orders", b'{"cart_id": "\\u0000"}', 422),
        ("POST", "/api/orders", b'{"cart_id": "\\ud800"}', 400),
        ("POST", "/api/orders", b'{"cart_id": "' + CART.encode() + b'"}', 404),
        ("POST", "/api/orders", b'{"cart_id": "' + CART.encode() + b'", "x": 1}', 422),
        ("POST", "/api/orders", b" " * (1024 * 1024 + 1), 413),
        ("POST", "/api/users", b'{"email": "a\\u0000@b.c", "password": "long enough"}', 422),
        ("POST", "/api/users", b'{"email": "a@b.c", "password": "short"}', 422),
        ("POST", "/api/session", b'{"email": "a@b.c", "password": "long enough"}', 401),
        ("GET", "/api/products/unknown", b"", 404),
        ("GET", "/api/products/%00", b"", 404),
        ("GET", "/api/products/%ED%A0%80", b"", 404),
        ("GET", "/api/products?q=%00", b"", 422),
        ("GET", "/api/products?page=0", b"", 422),
        ("GET", "/api/products?page=" + "9" * 5000, b"", 422),
        ("GET", "/api/products?per_page=101", b"", 422),
        ("GET", "/api/orders/nonsense", b"", 404),
        ("GET", "/api/nowhere", b"", 404),
        ("DELETE", "/api/products", b"", 405),
    ],
)
def test_bad_input_is_answered_with_a_problem(
    client: FlaskClient, method: str, path: str, body: bytes, status: int
) -> None:
    kind = "application/json" if body or method == "POST" else None
    answer = client.open(path, method=method, data=body, content_type=kind)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert answer.json["status"] == status
    assert answer.json["detail"]


@pytest.mark.parametrize("quantity", ["-1", "100", '"3"', "true", "null", "1.5", "1e400", "9" * 40])
def test_bad_quantities_are_refused(client: FlaskClient, quantity: str) -> None:
    path = f"/api/carts/{client.post('/api/carts').json['id']}/items/eggs"
    answer = client.put(path, data=f'{{"quantity": {quantity}}}', content_type="application/json")
    assert answer.status_code in (400, 422)
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("key", ["", "with space", "x" * 256, "\xe9"])
def test_bad_keys_are_refused(client: FlaskClient, key: str) -> None:
    answer = client.post("/api/orders", json={"cart_id": CART}, headers={"Idempotency-Key": key})
    assert answer.status_code == 422


def test_a_form_from_another_site_cannot_write(client: FlaskClient) -> None:
    answer = client.post("/api/orders", data='{"cart_id": "x"}', content_type="text/plain")
    assert (answer.status_code, answer.content_type) == (415, "application/problem+json")


def test_answers_carry_security_headers(client: FlaskClient) -> None:
    for path in ("/", "/api/products", "/nowhere", "/static/store.css"):
        with client.get(path) as answer:
            headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "Strict-Transport-Security" not in headers


def test_a_browser_is_told_to_stay_with_tls_over_tls_alone(client: FlaskClient) -> None:
    assert (
        "max-age="
        in client.get("/", base_url="https://shop.example").headers["Strict-Transport-Security"]
    )


def test_an_outage_is_503_with_retry_after(settings: Settings, tmp_path: Path) -> None:
    url = settings.database_url.set(database=str(tmp_path / "no such folder" / "store.db"))
    client = create_app(Settings(url, "only for tests")).test_client()
    for path, kind in (("/api/products", "application/problem+json"), ("/", "text/html")):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (503, kind)
        assert answer.headers["Retry-After"] == "5"
        assert "no such folder" not in answer.text


def test_a_bug_is_a_problem_without_its_cause(app: Flask) -> None:
    @app.get("/api/bug")
    def bug() -> str:
        raise RuntimeError("private words")

    answer = app.test_client().get("/api/bug")
    assert (answer.status_code, answer.content_type) == (500, "application/problem+json")
    assert "private words" not in answer.text
