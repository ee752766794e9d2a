"""What a client writes into its Host header costs no request."""

import pytest

from runtime import conventions


def said(host: str) -> dict[str, str | int]:
    environ = {"HTTP_HOST": host, "SERVER_PORT": "8000", "PATH_INFO": "/", "REQUEST_METHOD": "GET"}
    return conventions.attributes(environ, "GET", "/", "gunicorn")


@pytest.mark.parametrize(
    ("host", "port"),
    [("shop", 8000), ("shop:81", 81), ("shop:65535", 65535), ("shop:x", None), ("shop:", 8000),
     ("shop:" + "9" * 20, None), ("shop:" + "9" * 5000, None), ("shop:\u0661\u0662", None)],
)  # fmt: skip
def test_the_port_is_a_number_or_nothing(host: str, port: int | None) -> None:
    assert said(host).get("server.port") == port
    assert said(host)["server.address"] == "shop"
