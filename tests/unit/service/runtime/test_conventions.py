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


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [("[::1]:8000", "::1", 8000), ("[::1]", "::1", 8000), ("[2001:db8::7]:81", "2001:db8::7", 81),
     ("[::1]:x", "::1", None), ("[::1", "[::1", 8000), ("::1", "::1", 8000), ("", "", 8000),
     ("[]:81", "", 81), ("[" * 999, "[" * 256, 8000)],
)  # fmt: skip
def test_an_address_with_colons_is_read_whole(host: str, address: str, port: int | None) -> None:
    assert said(host).get("server.port") == port
    assert said(host).get("server.address", "") == address
