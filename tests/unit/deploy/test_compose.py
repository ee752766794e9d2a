"""What compose.yaml and its layers have to keep, whoever changes them: as files, no engine."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.test_layout import ROOT

FOLDER = ROOT / "deploy" / "docker"
FILES = sorted(FOLDER.glob("compose*.yaml"))

#: Variables that have no default, as a layer is for who sets them.
GIVEN = {"DATA": "/srv/orders", "NETWORK": "observability"}


def plain(text: str) -> str:
    """Return it with the default of each variable, from within."""
    text = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: GIVEN[found[1]], text)
    while (shorter := re.sub(r"\$\{\w+:-([^${}]*)\}", r"\1", text)) != text:
        text = shorter
    return text


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(plain((FOLDER / name).read_text()))
    return found


SERVICES: dict[str, Any] = compose()["services"]
SERVERS = ("gunicorn", "uwsgi", "apache")
each = pytest.mark.parametrize("name", SERVICES)


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def environment(path: str) -> str:
    return (ROOT / "deploy" / path).read_text()


@each
def test_a_service_may_write_and_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert all("size=" in place for place in service["tmpfs"])


@pytest.mark.parametrize("name", ["gateway", "blue", "green", "migration", "postgres", "jaeger"])
def test_a_service_that_stays_has_a_user_by_number_and_no_capability(name: str) -> None:
    user, _, group = SERVICES[name]["user"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert "cap_add" not in SERVICES[name]


@each
def test_a_service_has_limits(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory", "pids"}
    assert 0 < float(limits["cpus"]) <= 2
    assert re.fullmatch(r"\d+[mg]", limits["memory"])
    assert 0 < int(limits["pids"]) <= 1000


@each
def test_a_service_comes_back_and_its_log_has_an_end(name: str) -> None:
    # What ends by itself stays away.
    once = name not in ("gateway", "blue", "green", "postgres", "jaeger")
    assert SERVICES[name]["restart"] == ("no" if once else "unless-stopped")
    log = SERVICES[name]["logging"]
    assert log["driver"] == "json-file"
    assert log["options"].keys() == {"max-size", "max-file"}


@each
def test_an_image_is_named_by_exact_tag(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].rpartition(":")
    ours = tag in SERVERS and ("build" in SERVICES[name] or name == "green")
    assert image
    assert ours or re.match(r"\d+\.\d+", tag), tag


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_names_of_containers_are_left_to_compose(file: Path) -> None:
    assert "container_name" not in file.read_text()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_only_the_gateway_is_published_and_on_loopback(file: Path) -> None:
    services = compose(file.name).get("services") or {}
    ports = {name: one["ports"] for name, one in services.items() if one.get("ports")}
    # Jaeger's pages have a layer of their own, for who wants them.
    assert ports.keys() <= {"gateway", *(["jaeger"] if "jaeger-ui" in file.name else [])}
    assert all(port.startswith("127.0.0.1:") for found in ports.values() for port in found)


def test_the_gateway_alone_has_ports() -> None:
    assert {name for name, one in SERVICES.items() if "ports" in one} == {"gateway"}
    assert len(SERVICES["gateway"]["ports"]) == 2


def test_what_keeps_data_is_in_a_network_that_reaches_nothing() -> None:
    networks = compose()["networks"]
    assert networks["back"] == {"internal": True}
    assert not networks["front"]
    assert SERVICES["postgres"]["networks"] == SERVICES["jaeger"]["networks"] == ["back"]
    assert SERVICES["gateway"]["networks"] == ["front"]
    assert set(SERVICES["blue"]["networks"]) == {"front", "back"}


def test_data_is_in_named_volumes() -> None:
    named = compose()["volumes"].keys()
    for name, folder in (("postgres", "/var/lib/postgresql/data"), ("blue", "/data")):
        # The short form is for them; a path of the machine may have a colon in it.
        kept = [one.split(":") for one in SERVICES[name]["volumes"] if isinstance(one, str)]
        assert [volume for volume, place, *_ in kept if place == folder and volume in named]


def test_secrets_are_files_and_in_no_environment() -> None:
    secrets = compose()["secrets"]
    assert all(one.keys() == {"file"} for one in secrets.values())
    for service in SERVICES.values():
        for variable in service.get("environment", ()):
            assert not re.search(r"PASSWORD$|SECRET|_KEY$|DATABASE_URL$", variable)


def test_each_begins_when_what_it_wants_is_there() -> None:
    wants = {name: one.get("depends_on", {}) for name, one in SERVICES.items()}
    conditions = {
        (name, of): how["condition"] for name, on in wants.items() for of, how in on.items()
    }
    assert conditions["gateway", "blue"] == conditions["migration", "postgres"] == "service_healthy"
    assert conditions["blue", "migration"] == "service_completed_successfully"


@pytest.mark.parametrize(
    ("file", "line"),
    [("gunicorn/gunicorn.conf.py", r'"GRACEFUL_TIMEOUT", (\d+)'),
     ("uwsgi/uwsgi.ini", r"worker-reload-mercy = (\d+)"),
     ("docker/Dockerfile", r"GRACEFUL_TIMEOUT=(\d+)")],
)  # fmt: skip
def test_the_times_of_a_stop_lie_in_each_other(file: str, line: str) -> None:
    (grace,) = map(int, re.findall(line, environment(file)))
    # After the last answer there are the last spans.
    for name in ("blue", "green"):
        assert seconds(SERVICES[name]["stop_grace_period"]) >= grace + 6


def test_the_gateway_waits_as_long_as_the_app() -> None:
    gateway = SERVICES["gateway"]
    (shutdown,) = map(int, re.findall(r"worker_shutdown_timeout (\d+)s", str(gateway["command"])))
    assert seconds(gateway["stop_grace_period"]) > shutdown
    assert gateway["stop_signal"] == "SIGQUIT"


def test_postgres_ends_its_queries_and_has_the_time_to_write() -> None:
    assert SERVICES["postgres"]["stop_signal"] == "SIGINT"
    assert seconds(SERVICES["postgres"]["stop_grace_period"]) >= 60


@each
def test_a_question_after_its_health_is_no_shell_s_and_ends(name: str) -> None:
    asked = SERVICES[name].get("healthcheck", {})
    if "test" in asked:
        assert asked["test"][0] == "CMD"
        assert seconds(asked["timeout"]) < 5


# ---- The Dockerfile: what of it no build shows.


def stages() -> dict[str, str]:
    text = re.sub(r"\\\n", " ", environment("docker/Dockerfile"))
    parts = re.split(r"^FROM (\S+) AS (\S+)$", text, flags=re.MULTILINE)[1:]
    found: dict[str, str] = {}
    for base, name, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        found[name] = found.get(base, "") + body
    return found


def last(stage: str, word: str) -> str:
    return re.findall(rf"^{word} (.*)$", stage, re.MULTILINE)[-1].strip()


@pytest.mark.parametrize("server", SERVERS)
def test_an_image_has_a_user_a_signal_and_no_shell(server: str) -> None:
    stage = stages()[server]
    assert last(stage, "USER") == "10000:10000"
    assert last(stage, "STOPSIGNAL") == ("SIGWINCH" if server == "apache" else "SIGTERM")
    assert last(stage, "CMD").startswith("[")
    assert "/bin/sh" not in last(stage, "CMD")
    assert re.search(r'CMD \["python3", "/srv/healthcheck.py"\]', last(stage, "HEALTHCHECK"))
    for label in ("title", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in stage


def test_the_public_images_are_named_by_exact_tag() -> None:
    text = environment("docker/Dockerfile")
    named = re.findall(r"^ARG (\w+_IMAGE)=\S+:(\S+)$", text, re.MULTILINE)
    assert len(named) == 2
    assert all(re.search(r"\d+\.\d+\.\d+|\d{8}", tag) for _, tag in named)
