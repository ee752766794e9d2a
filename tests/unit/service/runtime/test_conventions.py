"""What a client writes into its Host header costs no request."""

import subprocess
import sys
from pathlib import Path

import pytest

from runtime import conventions


def said(host: str, scheme: str = "http") -> dict[str, str | int]:
    environ = {"HTTP_HOST": host, "SERVER_PORT": "8000", "PATH_INFO": "/", "REQUEST_METHOD": "GET"}
    environ["wsgi.url_scheme"] = scheme
    return conventions.attributes(environ, "GET", "/", "gunicorn")


@pytest.mark.parametrize(
    ("host", "port"),
    [("shop", 80), ("shop:81", 81), ("shop:65535", 65535), ("shop:x", None), ("shop:", 80),
     ("shop:" + "9" * 20, None), ("shop:" + "9" * 5000, None), ("shop:\u0661\u0662", None)],
)  # fmt: skip
def test_the_port_is_a_number_or_nothing(host: str, port: int | None) -> None:
    assert said(host).get("server.port") == port
    assert said(host)["server.address"] == "shop"


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [("[::1]:8000", "::1", 8000), ("[::1]", "::1", 80), ("[2001:db8::7]:81", "2001:db8::7", 81),
     ("[::1]:x", "::1", None), ("[::1", "[::1", 80), ("::1", "::1", 80), ("", "", 8000),
     ("[]:81", "", 81), ("[" * 999, "[" * 256, 80)],
)  # fmt: skip
def test_an_address_with_colons_is_read_whole(host: str, address: str, port: int | None) -> None:
    assert said(host).get("server.port") == port
    assert said(host).get("server.address", "") == address


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443), ("", None)])
def test_a_client_that_names_no_port_means_its_schemes(scheme: str, port: int | None) -> None:
    """The server's own port is the backend's, where a proxy came to it."""
    assert said("shop", scheme).get("server.port") == port


@pytest.mark.parametrize(
    ("known", "found"),
    [
        ("", "GET _OTHER"),
        ("BREW, GET", "GET BREW"),
        ("BREW", "_OTHER BREW"),
        ("brew", "_OTHER " * 2),
    ],
)
def test_an_operator_may_say_which_methods_are_known(known: str, found: str) -> None:
    code = (
        "from runtime import conventions\n"
        "print(*(conventions.method({'REQUEST_METHOD': name}) for name in ('GET', 'BREW')))"
    )
    environ = {
        "PYTHONPATH": str(Path(__file__).resolve().parents[4] / "service"),
        "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS": known,
    }
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == found.split()
