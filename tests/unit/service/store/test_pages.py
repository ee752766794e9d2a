"""The pages as a browser uses them: forms with their hidden fields."""

import re

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse


def submit(client: FlaskClient, page: str, action: str, **fields: object) -> TestResponse:
    """Send a form that is on `page`, with the hidden token found there."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get(page).text)
    assert token, f"{page} has no form"
    data = {"csrf_token": token[1], **fields}
    return client.post(action, data=data, follow_redirects=True)


def test_from_the_shelf_to_the_order(client: FlaskClient) -> None:
    shelf = submit(client, "/", "/cart/items", sku="eggs")
    assert "Eggs is in your cart." in shelf.text
    cart = client.get("/cart").text
    key = re.search(r'name="key" value="(\w+)"', cart)
    assert key
    assert "€\xa03.99" in cart
    order = submit(client, "/cart", "/orders", key=key[1], email="")
    assert order.request.path.startswith("/orders/")
    assert "Thank you" in order.text


def test_a_double_click_is_one_order(client: FlaskClient) -> None:
    submit(client, "/", "/cart/items", sku="eggs")
    first = submit(client, "/cart", "/orders", key="click")
    again = submit(client, "/", "/orders", key="click")
    assert first.request.path == again.request.path


def test_the_cart_can_be_changed(client: FlaskClient) -> None:
    submit(client, "/", "/cart/items", sku="eggs", quantity=3)
    assert "<output>2</output>" in submit(client, "/cart", "/cart/items/eggs", quantity=2).text
    assert "It is empty" in submit(client, "/cart", "/cart/items/eggs", quantity=0).text


@pytest.mark.parametrize("quantity", ["-1", "100", "abc", ""])
def test_a_wrong_quantity_changes_nothing(client: FlaskClient, quantity: str) -> None:
    submit(client, "/", "/cart/items", sku="eggs", quantity=2)
    answer = submit(client, "/cart", "/cart/items/eggs", quantity=quantity)
    assert (answer.status_code, answer.mimetype) == (422, "text/html")
    assert "<output>2</output>" in client.get("/cart").text


def test_who_has_no_cart_cannot_change_one(client: FlaskClient) -> None:
    assert submit(client, "/", "/cart/items/eggs", quantity=1).status_code == 404


def test_signing_up_keeps_the_cart_and_logging_out_forgets_it(client: FlaskClient) -> None:
    submit(client, "/", "/cart/items", sku="eggs")
    account = {"email": "ann@example.com", "password": "long enough"}
    assert "Log out" in submit(client, "/signup", "/signup", **account).text
    submit(client, "/cart", "/orders", key="k")
    assert "€\xa03.99" in client.get("/orders").text
    assert "Log in" in submit(client, "/", "/logout").text
    assert client.get("/orders").location == "/login"
    submit(client, "/login", "/login", **account)
    assert "€\xa03.99" in client.get("/orders").text


@pytest.mark.parametrize(
    ("page", "fields", "status", "words"),
    [
        ("/login", {"email": "ann@example.com", "password": "long enough"}, 401, "is wrong"),
        ("/signup", {"email": "ann", "password": "long enough"}, 422, "e-mail address"),
        ("/signup", {"email": "ann@example.com", "password": "short"}, 422, "8 to 128"),
        ("/signup", {}, 422, "8 to 128"),
    ],
)
def test_a_wrong_form_says_what_is_wrong(
    client: FlaskClient, page: str, fields: dict[str, str], status: int, words: str
) -> None:
    answer = submit(client, page, page, **fields)
    assert answer.status_code == status
    assert words in answer.text


@pytest.mark.parametrize(
    "action", ["/cart/items", "/cart/items/eggs", "/orders", "/login", "/signup", "/logout"]
)
def test_a_form_without_its_token_is_refused(client: FlaskClient, action: str) -> None:
    answer = client.post(action, data={"sku": "eggs"})
    assert (answer.status_code, answer.mimetype) == (400, "text/html")


def test_too_few_left_is_said_in_the_cart(client: FlaskClient) -> None:
    for number in range(2):
        submit(client, "/", "/cart/items", sku="eggs", quantity=99)
        submit(client, "/cart", "/orders", key=f"k{number}")
    submit(client, "/", "/cart/items", sku="eggs", quantity=99)
    refused = submit(client, "/cart", "/orders", key="k2")
    assert "Only 52 of Eggs left, 99 wanted." in refused.text
    assert refused.request.path == "/cart"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/?page=0", 422),
        ("/?q=%00", 422),
        ("/?page=9999", 200),
        ("/?category=unknown", 200),
        ("/orders/0000-0000-0000", 404),
        ("/nowhere", 404),
    ],
)
def test_odd_addresses_get_a_page(client: FlaskClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")


def test_what_a_person_typed_is_never_markup(client: FlaskClient) -> None:
    assert "<b>x" not in client.get("/?q=<b>x").text
