"""What of a container is not as Compose would make it now."""

from typing import Any

import pytest

from moorings.services.compose_drift import differences
from moorings.services.containers import Container

IS = Container(
    {
        "Image": "sha256:1a",
        "Config": {
            "Image": "nginx:1",
            "Cmd": ["nginx", "-g", "a;"],
            "Env": ["PATH=/bin", "POSTGRES_DB=shop"],
            "Labels": {"moorings.files": "1a"},
        },
        "Mounts": [
            {"Type": "bind", "Source": "/a/nginx", "Destination": "/etc/gateway"},
            {"Type": "bind", "Source": "/a/secrets/key", "Destination": "/run/secrets/key"},
            {"Type": "volume", "Source": "/var/lib/x", "Destination": "/data"},
        ],
        "HostConfig": {"Memory": 512, "PortBindings": {}},
        "NetworkSettings": {"Ports": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8000"}]}},
    }
)
WANTED: dict[str, Any] = {
    "image": "nginx:1",
    "command": ["nginx", "-g", "a;"],
    "environment": {"POSTGRES_DB": "shop"},
    "ports": [{"host_ip": "127.0.0.1", "published": "8000", "target": 8080}],
    "deploy": {"resources": {"limits": {"memory": "512"}}},
    "labels": {"moorings.files": "1a"},
    "volumes": [
        {"type": "bind", "source": "/a/nginx", "target": "/etc/gateway"},
        {"type": "volume", "source": "data", "target": "/data"},
    ],
}


def test_what_is_as_it_would_be_made_has_no_differences() -> None:
    assert differences(IS, WANTED) == []


def test_an_image_that_was_made_anew_under_its_name_is_told() -> None:
    assert differences(IS, WANTED, "sha256:1a") == []
    assert differences(IS, WANTED, "sha256:2b") == ["another image nginx:1"]


def test_what_compose_leaves_to_the_image_is_no_difference() -> None:
    kept = {name: WANTED[name] for name in ("ports", "labels", "volumes")}
    plain = {"image": "nginx:1", "command": None, **kept}
    assert differences(IS, plain) == []


def test_of_one_that_is_stopped_the_settings_say_where_it_is_published() -> None:
    bound = IS.raw["NetworkSettings"]["Ports"]
    settings = {"Memory": 512, "PortBindings": bound}
    stopped = Container({**IS.raw, "HostConfig": settings, "NetworkSettings": {"Ports": {}}})
    assert differences(stopped, WANTED) == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"image": "nginx:2"}, "image nginx:1 -> nginx:2"),
        ({"command": ["nginx"]}, "command"),
        ({"environment": {"POSTGRES_DB": "other"}}, "environment"),
        ({"ports": []}, "published ports 127.0.0.1:8000 -> none"),
        (
            {"ports": [{"host_ip": "127.0.0.1", "published": "8080", "target": 8080}]},
            "published ports 127.0.0.1:8000 -> 127.0.0.1:8080",
        ),
        ({"deploy": {"resources": {"limits": {"memory": "1024"}}}}, "memory"),
        ({"labels": {"moorings.files": "2b"}}, "contents of its files"),
        ({"volumes": []}, "mounted files"),
    ],
)
def test_each_difference_is_told(change: dict[str, Any], why: str) -> None:
    assert differences(IS, WANTED | change) == [why]
