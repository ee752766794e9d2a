"""The environment of the service: written from the settings, here and nowhere else."""

from pathlib import Path

import pytest

from moorings import layout, service, settings, targets
from moorings.errors import SettingsError
from moorings.settings import Settings
from moorings.target import Release


def read(tmp_path: Path, environ: dict[str, str] | None = None, **flags: object) -> Settings:
    keys = {name.replace("__", "."): value for name, value in flags.items()}
    state = {"deployment.state": str(tmp_path / "state"), "deployment.name": "x"}
    return settings.load(tmp_path, environ or {}, {**state, **keys}, targets.sections())


def environment(made: Settings, otlp: str = "", thrift: str = "") -> dict[str, str]:
    release = Release("v1", "commit")
    return service.environment(made, layout.of(made), release, "column", otlp, thrift=thrift)


def test_the_sample_has_its_own_readiness_and_database(tmp_path: Path) -> None:
    env = environment(read(tmp_path))
    assert env["APP"] == "store:create_app()"
    assert env["READY"] == "store.ready:check"
    assert env["DATABASE_URL"] == f"sqlite:///{tmp_path}/state/x/data/store.db"
    assert service.migrate_command(read(tmp_path)) == "python -m store.migrate"


def test_another_app_gets_only_what_was_set(tmp_path: Path) -> None:
    made = read(tmp_path, app__app="shop:app", app__dir=str(tmp_path))
    env = environment(made)
    assert env["READY"] == ""
    assert "DATABASE_URL" not in env
    assert service.migrate_command(made) == ""


def test_the_secret_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    place = layout.of(read(tmp_path))
    service.prepare(place, None)
    first = Path(environment(read(tmp_path))["SECRET_KEY_FILE"])
    text = first.read_text()
    assert len(text) >= 48
    assert first.stat().st_mode & 0o777 == 0o600
    assert first.parent.stat().st_mode & 0o777 == 0o700
    service.prepare(place, None)
    assert first.read_text() == text


def test_without_a_collector_nothing_is_exported(tmp_path: Path) -> None:
    assert environment(read(tmp_path))["OTEL_TRACES_EXPORTER"] == "none"


def test_the_collector_is_where_the_deployment_says(tmp_path: Path) -> None:
    env = environment(read(tmp_path, {"OTEL_SERVICE_NAME": "shop"}), "http://127.0.0.1:1")
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:1"
    assert env["OTEL_SERVICE_NAME"] == "shop"
    assert "OTEL_TRACES_EXPORTER" not in env


@pytest.mark.parametrize(
    ("said", "endpoint"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, None),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://127.0.0.1:4317"),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, "http://127.0.0.1:4317"),
        (
            {
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            },
            None,
        ),
        (
            {
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://theirs",
            },
            "http://theirs",
        ),
    ],
)
def test_grpc_has_a_port_of_its_own(
    tmp_path: Path, said: dict[str, str], endpoint: str | None
) -> None:
    made = read(tmp_path, said)
    release, otlp, grpc = Release("v1", "commit"), "http://127.0.0.1:4318", "http://127.0.0.1:4317"
    env = service.environment(made, layout.of(made), release, "column", otlp, grpc=grpc)
    assert env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == endpoint
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == otlp


THRIFT = "http://127.0.0.1:2/api/traces"


def test_the_jaeger_exporter_sends_to_the_same_collector(tmp_path: Path) -> None:
    made = read(tmp_path, jaeger__exporter="jaeger")
    env = environment(made, "http://127.0.0.1:1", THRIFT)
    assert env["OTEL_TRACES_EXPORTER"] == "jaeger"
    assert env["OTEL_EXPORTER_JAEGER_ENDPOINT"] == THRIFT
    assert service.is_legacy(made)
    assert service.traces_off(made) == ""


def test_an_agent_that_the_operator_names_is_sent_to(tmp_path: Path) -> None:
    theirs = {"OTEL_EXPORTER_JAEGER_AGENT_HOST": "agent"}
    env = environment(read(tmp_path, theirs, jaeger__exporter="jaeger"), "", THRIFT)
    assert env["OTEL_EXPORTER_JAEGER_AGENT_HOST"] == "agent"
    assert "OTEL_EXPORTER_JAEGER_ENDPOINT" not in env


def test_the_standard_variable_chooses_the_exporter_too(tmp_path: Path) -> None:
    made = read(tmp_path, {"OTEL_TRACES_EXPORTER": "console"})
    assert environment(made, "http://127.0.0.1:1")["OTEL_TRACES_EXPORTER"] == "console"
    assert service.traces_off(made) == "jaeger.exporter is console"


def test_the_env_file_is_read_but_does_not_override_the_release(tmp_path: Path) -> None:
    file = tmp_path / "my env"
    file.write_text("# mine\nGREETING='hello $USER'\nRELEASE=fake\n")
    env = environment(read(tmp_path, app__env_file=str(file)))
    assert (env["GREETING"], env["RELEASE"]) == ("hello $USER", "v1")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"app__env_file": "/nowhere/env"}, "app.env_file: there is no file"),
        ({"app__database_url_file": "/nowhere/url"}, "app.database_url_file: "),
    ],
)
def test_a_file_that_is_not_there_is_named(tmp_path: Path, flags, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        environment(read(tmp_path, **flags))
    assert caught.value.fact.startswith(says)


def test_an_app_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"app\.dir: there is no folder"):
        service.requirements(read(tmp_path, app__dir="/nowhere/shop"))


def test_a_migration_that_is_no_command_is_named() -> None:
    with pytest.raises(SettingsError, match="migrate: No closing quotation"):
        service.words("flask 'db")
