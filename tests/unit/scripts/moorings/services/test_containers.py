"""What a container says of its release, its address and its processes."""

from pathlib import Path

import pytest

from moorings.layout import Layout
from moorings.runner import Command, Result, Runner
from moorings.services import containers
from moorings.services.containers import Container
from moorings.services.engine import Engine
from moorings.target import Release

LAYOUT = Layout(Path("/x"), Path("/x"), "x")
PORTS = {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8800"}], "8081/tcp": None}


def container(text: str = "", service: str = "blue") -> Container:
    labels = {
        "moorings.release": text,
        "com.docker.compose.service": service,
        "com.docker.compose.project": "moorings-x",
    }
    networks = {"moorings-x_back": {"IPAddress": "10.0.0.2"}}
    return Container(
        {
            "Id": "0123456789abcdef",
            "Config": {"Labels": labels, "Image": "shop"},
            "State": {"Running": True, "Restarting": False, "Pid": 10},
            "RestartCount": 0,
            "NetworkSettings": {"Networks": networks, "Ports": PORTS},
            "HostConfig": {"PortBindings": {}},
            "Mounts": [
                {"Type": "volume", "Source": "/var/lib/x", "Destination": "/data"},
                {"Type": "bind", "Source": "/srv/orders", "Destination": "/orders"},
                {"Type": "bind", "Source": "/a/nginx", "Destination": "/etc/gateway"},
            ],
        }
    )


class Says(Runner):
    """A client of the engine that gives one answer."""

    def __init__(self, output: str) -> None:
        self.output = output

    def remove(self, folder: Path) -> None:
        raise NotImplementedError

    def finish(self, command: Command) -> Result:
        return Result(0, self.output)

    def launch(self, command: Command) -> int:
        raise NotImplementedError


def roles(rows: list[str], service: str = "blue", text: str = "1-ab c0ffee 5e77") -> dict[str, str]:
    said = "\n".join(["PID PPID USER RSS COMMAND", *rows])
    engine = Engine(Says(said), LAYOUT, {})
    found = containers.instances(engine, container(text, service))
    return {one.id: one.role for one in found}


def test_a_release_comes_back_from_its_label() -> None:
    for release in (Release("1-ab", "c0ffee", "5e77"), Release("1-ab", "", "5e77")):
        assert container(release.label).release == release
    assert container("").release is None


def test_it_is_found_by_the_networks_of_the_project_alone() -> None:
    assert container().address("back") == "10.0.0.2"
    assert container().address("front") == ""


def test_only_what_is_published_has_an_address_of_this_host() -> None:
    assert container().published(8080) == "127.0.0.1:8800"
    assert container().published(8081) == ""
    assert container().published(5432) == ""


def test_all_that_is_published_is_told() -> None:
    found = container()
    twice = [*(PORTS["8080/tcp"] or ()), {"HostIp": "0.0.0.0", "HostPort": "9000"}]
    names = [{"HostIp": "::1", "HostPort": "53"}]
    found.raw["NetworkSettings"]["Ports"] = {"8080/tcp": twice, "53/udp": names, "81/tcp": None}
    assert found.all_published() == ["127.0.0.1:8800", "0.0.0.0:9000", "[::1]:53/udp"]


def test_workers_are_the_children_of_the_master() -> None:
    rows = [
        "10 1 10000 4 /sbin/docker-init -- uwsgi",
        "11 10 10000 4 /opt/venv/bin/uwsgi --ini /srv/deploy/uwsgi.ini",
        "12 10 10000 4 python3 -m runtime.messages /opt/venv/bin/uwsgi",
        "13 11 10000 4 /opt/venv/bin/uwsgi --ini /srv/deploy/uwsgi.ini",
        "14 11 10000 4 /opt/venv/bin/uwsgi --ini /srv/deploy/uwsgi.ini",
    ]
    assert roles(rows) == {
        "10": "helper", "11": "master", "12": "helper", "13": "worker", "14": "worker",
    }  # fmt: skip


def test_the_front_servers_of_apache_are_no_workers() -> None:
    rows = [
        "10 1 10000 4 /sbin/docker-init -- apache2",
        "11 10 10000 4 /usr/sbin/apache2 -f /srv/deploy/apache/httpd.conf",
        "12 11 10000 4 moorings          -f /srv/deploy/apache/httpd.conf",
        "13 11 10000 4 /usr/sbin/apache2 -f /srv/deploy/apache/httpd.conf",
    ]
    assert roles(rows) == {"10": "helper", "11": "master", "12": "worker", "13": "helper"}


def test_only_root_has_a_name_that_host_and_image_share() -> None:
    engine = Engine(Says("head\n10 1 0 4 sh\n11 10 999 4 postgres"), LAYOUT, {})
    assert [one.user for one in containers.instances(engine, container())] == ["root", "999"]


def test_what_is_no_app_is_called_by_its_service() -> None:
    assert roles(["10 1 999 4 postgres"], "postgres", "") == {"10": "postgres"}


def test_what_entered_from_outside_is_none_of_its_own() -> None:
    rows = [
        "10 1 10000 4 /sbin/docker-init -- gunicorn",
        "11 10 10000 4 gunicorn: master",
        "12 11 10000 4 gunicorn: worker",
        "13 1 0 4 runc init",
        "14 1 10000 4 python3 /srv/healthcheck.py",
        "15 14 10000 4 sh",
    ]
    assert roles(rows) == {"10": "helper", "11": "master", "12": "worker"}


@pytest.mark.parametrize(
    ("state", "restarts", "ails"),
    [
        ({"Running": True}, 0, False),
        ({"Running": True, "Health": {"Status": "healthy"}}, 0, False),
        ({"Running": True, "Health": {"Status": "unhealthy"}}, 0, True),
        ({"Running": True}, 3, True),
        ({"Running": False}, 0, True),
        ({"Running": True, "Restarting": True}, 0, True),
    ],
)
def test_what_ails(state: dict[str, object], restarts: int, ails: bool) -> None:
    assert Container({"State": state, "RestartCount": restarts}).ails is ails


def test_what_it_keeps_is_in_volumes_and_in_the_folder_that_is_named() -> None:
    assert container().kept("") == {"/data"}
    assert container().kept("/srv/orders") == {"/data", "/orders"}


def test_its_address_is_that_in_a_network_of_its_own_project() -> None:
    assert container().address("back") == "10.0.0.2"
    # Another project's ends in the same word.
    assert container().address("x_back") == ""
