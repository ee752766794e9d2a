import subprocess
import sys
from pathlib import Path

import pytest

from runtime import settings
from runtime.settings import SettingError, Settings

SERVICE = Path(__file__).resolve().parents[4] / "service"
APPS = Path(__file__).parent / "apps"


def test_an_empty_environment_gives_the_defaults() -> None:
    assert settings.read({}) == Settings()


def test_values_are_read() -> None:
    found = settings.read(
        {"APP": "shop:app", "PROBE": "1", "MAX_BODY_BYTES": "10", "HEALTH_PREFIX": "/ops/"}
    )
    assert (found.app, found.probe, found.max_body_bytes) == ("shop:app", True, 10)
    assert found.health_prefix == "/ops"


def test_no_exporter_is_an_empty_list() -> None:
    assert settings.read({"OTEL_TRACES_EXPORTER": "none"}).otel_traces_exporter == ()
    assert settings.read({"OTEL_TRACES_EXPORTER": "otlp,console"}).otel_traces_exporter == (
        "otlp",
        "console",
    )


def test_the_protocol_of_traces_wins() -> None:
    both = {
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
    }
    assert settings.read(both).otlp_protocol == "grpc"


@pytest.mark.parametrize(
    ("traces", "metrics", "is_told"),
    [("grpc", "", True), ("", "grpc", True), ("grpc", "http/protobuf", False), ("", "", False)],
)
def test_metrics_do_not_go_over_grpc(traces: str, metrics: str, is_told: bool) -> None:
    environ = {
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": traces,
        "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": metrics,
    }
    if not is_told:
        assert settings.read(environ).otel_metrics_exporter == ("otlp",)
        return
    with pytest.raises(SettingError, match="OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: should be http"):
        settings.read(environ)
    settings.read({**environ, "OTEL_METRICS_EXPORTER": "none"})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MAX_BODY_BYTES", "abc", "MAX_BODY_BYTES: should be a whole number of bytes, not 'abc'"),
        ("MAX_BODY_BYTES", "-1", "MAX_BODY_BYTES: should be a whole number of bytes, not '-1'"),
        ("PROXY_HOPS", "1.5", "PROXY_HOPS: should be a whole number of trusted proxies, not '1.5'"),
        ("PROXY_HOPS", "²", "PROXY_HOPS: should be a whole number of trusted proxies, not '²'"),
        ("PROBE", "yes", "PROBE: should be 1 or 0, not 'yes'"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT: should be one of auto, json, text, not 'xml'"),
        ("HEALTH_PREFIX", "ops", "HEALTH_PREFIX: should begin with '/', not 'ops'"),
        (
            "OTEL_TRACES_EXPORTER",
            "zipkin",
            "OTEL_TRACES_EXPORTER: should be one of otlp, jaeger, console, none, not 'zipkin'",
        ),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "http/json",
            "OTEL_EXPORTER_OTLP_PROTOCOL: should be one of http/protobuf, grpc, not 'http/json'",
        ),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str, words: str) -> None:
    with pytest.raises(SettingError) as raised:
        settings.read({name: value})
    assert str(raised.value) == words


def test_a_least_value_is_named() -> None:
    with pytest.raises(SettingError) as raised:
        settings.whole({"WORKERS": "0"}, "WORKERS", 2, "workers", least=1)
    assert (
        str(raised.value) == "WORKERS: should be a whole number of workers of at least 1, not '0'"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "abc"),
        ("OTEL_PROPAGATORS", "tracecontext,b4"),
        ("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST", "x-(.*"),
        ("METRICS_DIR", "/dev/null/metrics"),
    ],
)
def test_a_wrong_value_is_one_line_of_the_whole_service(name: str, value: str) -> None:
    environ = {"PYTHONPATH": f"{SERVICE}:{APPS}", "PATH": "", "APP": "shop:app", name: value}
    code = "import runtime.wsgi"
    ran = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True,
                         timeout=60)  # fmt: skip
    assert ran.returncode == 3
    assert ran.stderr.startswith(f"moorings: {name}: ")
    assert ran.stderr.count("\n") == 1


def test_a_short_queue_has_short_batches() -> None:
    assert settings.queue({"OTEL_BSP_MAX_QUEUE_SIZE": "256"}) == (256, 256)
    assert settings.queue({}) == (2048, 512)
