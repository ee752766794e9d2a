"""Lines of nginx and Apache about themselves, as both wrote them, in the form of all others."""

import json
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest

from moorings.server_lines import of_apache, of_nginx

NGINX = (
    "2026/11/24 02:03:04 [warn] 7#7: *3 a client request body is buffered to a temporary file"
    " /run/gateway/body/0000000001, client: 10.0.0.1"
)
APACHE = (
    "[Tue Nov 24 02:03:04.567890 2026] [mpm_event:notice] [pid 31:tid 139812] AH00492: caught"
    " SIGWINCH, shutting down gracefully"
)


@pytest.mark.parametrize(
    ("line", "level", "begins"),
    [(NGINX, "warning", "*3 a client"), (NGINX.replace("warn", "emerg"), "critical", "*3 a"),
     ("nginx: configuration is broken", "error", "nginx: configuration")],
)  # fmt: skip
def test_a_line_of_nginx(line: str, level: str, begins: str) -> None:
    said = json.loads(of_nginx(line, UTC))
    assert (said["level"], said["logger"]) == (level, "nginx")
    assert said["message"].startswith(begins)


def test_a_time_is_in_utc() -> None:
    assert json.loads(of_nginx(NGINX, UTC))["time"] == "2026-11-24T02:03:04.000Z"
    there = timezone(timedelta(hours=2))
    assert json.loads(of_nginx(NGINX, there))["time"] == "2026-11-24T00:03:04.000Z"


def test_a_line_of_apache() -> None:
    said: dict[str, Any] = json.loads(of_apache(APACHE))
    assert said["time"].endswith(":04.567Z")
    assert (said["level"], said["logger"]) == ("info", "httpd")
    assert said["message"] == "AH00492: caught SIGWINCH, shutting down gracefully"


def test_a_line_of_a_request_stays_as_it_is() -> None:
    line = '{"method": "GET", "status": 200}'
    assert of_nginx(line) == of_apache(line) == line
