import pytest
from flask import Flask, request
from werkzeug.test import Client

from runtime import proxies

FORWARDED = {
    "X-Forwarded-For": "203.0.113.9, 198.51.100.1, 192.0.2.1",
    "X-Forwarded-Proto": "ftp, https, https",
    "X-Forwarded-Host": "evil.test, shop.test, inner.test",
}


@pytest.mark.parametrize(
    ("hops", "seen"),
    [
        (0, ["127.0.0.1", "http", "localhost"]),
        (1, ["192.0.2.1", "https", "inner.test"]),
        (2, ["198.51.100.1", "https", "shop.test"]),
        (4, ["127.0.0.1", "http", "localhost"]),
    ],
)
def test_exactly_so_many_proxies_are_trusted(hops: int, seen: list[str]) -> None:
    app = Flask("shop")
    app.add_url_rule("/", view_func=lambda: [request.remote_addr, request.scheme, request.host])
    response = Client(proxies.trust(app, hops)).get(
        "/", headers=FORWARDED, environ_base={"REMOTE_ADDR": "127.0.0.1"}
    )
    assert response.json == seen
