"""What the service reads from its environment, read once; a wrong value is named in one line."""

import importlib.metadata
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

EXPORTERS = ("otlp", "jaeger", "console", "none")
CALLS = ("requests", "httpx", "urllib3")
PROTOCOLS = ("http/protobuf", "grpc")
LEVELS = ("debug", "info", "warning", "error", "critical")
FORMATS = ("auto", "json", "text")
_MAX_QUEUE, _BATCH = 2048, 512
_LIMITS = (
    "OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT",
)  # fmt: skip


class SettingError(Exception):
    """A variable that cannot be understood; its text names the variable and what it should be."""


@dataclass(frozen=True)
class Settings:
    """The runtime's settings; each field is the variable of the same name in capitals."""

    app: str = "store:create_app()"
    ready: str = ""
    release: str = "unreleased"
    commit: str = ""
    server: str = "wsgi"
    environment: str = "production"
    probe: bool = False
    health_prefix: str = ""
    log_format: str = "auto"
    log_level: str = "info"
    proxy_hops: int = 0
    max_body_bytes: int = 100 * 1024 * 1024
    request_deadline: int = 0
    metrics_dir: Path | None = None
    otel_traces_exporter: tuple[str, ...] = ("otlp",)
    otlp_protocol: str = "http/protobuf"
    trace_calls: tuple[str, ...] = ()
    otel_metrics_exporter: tuple[str, ...] = ()


def read(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment; raises SettingError for the first value that is wrong."""
    default = Settings()
    folder = environ.get("METRICS_DIR", "")
    _check_opentelemetry(environ)
    metrics = _some(environ, "OTEL_METRICS_EXPORTER", ("otlp", "none"))
    if metrics:
        _check_protocol_of_metrics(environ)
    return Settings(
        app=environ.get("APP") or default.app,
        ready=environ.get("READY", ""),
        release=environ.get("RELEASE") or default.release,
        commit=environ.get("COMMIT", ""),
        server=environ.get("SERVER") or default.server,
        environment=environ.get("ENVIRONMENT") or default.environment,
        probe=switch(environ, "PROBE"),
        health_prefix=_prefix(environ, "HEALTH_PREFIX"),
        log_format=_choice(environ, "LOG_FORMAT", FORMATS, default.log_format),
        log_level=_choice(environ, "LOG_LEVEL", LEVELS, default.log_level),
        proxy_hops=whole(environ, "PROXY_HOPS", default.proxy_hops, "trusted proxies"),
        max_body_bytes=whole(environ, "MAX_BODY_BYTES", default.max_body_bytes, "bytes"),
        request_deadline=whole(environ, "REQUEST_DEADLINE", default.request_deadline, "seconds"),
        metrics_dir=Path(folder) if folder else None,
        otel_traces_exporter=_some(environ, "OTEL_TRACES_EXPORTER", EXPORTERS, ("otlp",)),
        otlp_protocol=_protocol(environ, default.otlp_protocol),
        trace_calls=_several(environ, "TRACE_CALLS", CALLS),
        otel_metrics_exporter=metrics,
    )


def whole(environ: Mapping[str, str], name: str, default: int, unit: str, least: int = 0) -> int:
    """Return a whole number of `unit`, at least `least`; raises SettingError."""
    text = environ.get(name, "").strip()
    if not text:
        return default
    # isdecimal alone takes other scripts' digits, which nobody means.
    if not (text.isascii() and text.isdecimal()) or int(text) < least:
        bound = f" of at least {least}" if least else ""
        raise SettingError(f"{name}: should be a whole number of {unit}{bound}, not {text!r}")
    return int(text)


def queue(environ: Mapping[str, str]) -> tuple[int, int]:
    """Return how many spans may wait, and how many leave together; raises SettingError."""
    names = ("OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE")
    room = whole(environ, names[0], _MAX_QUEUE, "spans", least=1)
    batch = whole(environ, names[1], min(_BATCH, room), "spans", least=1)
    if batch > room:
        raise SettingError(f"{names[1]}: should be at most {room}, {names[0]}, not '{batch}'")
    return room, batch


def _check_opentelemetry(environ: Mapping[str, str]) -> None:
    """Check what OpenTelemetry reads itself, and would end the process for with a traceback."""
    queue(environ)
    whole(environ, "OTEL_BSP_SCHEDULE_DELAY", 1, "milliseconds", least=1)
    for name in _LIMITS:
        whole(environ, name, 0, "characters" if "LENGTH" in name else "those")
    for name in (environ.get("OTEL_PROPAGATORS") or "none").split(","):
        _check_propagator(name.strip())


def _check_propagator(name: str) -> None:
    group = "opentelemetry_propagator"
    if name.lower() == "none" or importlib.metadata.entry_points(group=group, name=name):
        return
    known = ", ".join(sorted(importlib.metadata.entry_points(group=group).names))
    raise SettingError(f"OTEL_PROPAGATORS: should be of those installed, {known}, not {name!r}")


def switch(environ: Mapping[str, str], name: str) -> bool:
    """Return whether `name` is 1; empty and 0 are off; raises SettingError for all else."""
    text = environ.get(name, "").strip()
    if text not in ("", "0", "1"):
        raise SettingError(f"{name}: should be 1 or 0, not {text!r}")
    return text == "1"


def _choice(environ: Mapping[str, str], name: str, known: tuple[str, ...], default: str) -> str:
    text = environ.get(name, "").strip().lower() or default
    if text not in known:
        raise SettingError(f"{name}: should be one of {', '.join(known)}, not {text!r}")
    return text


def _prefix(environ: Mapping[str, str], name: str) -> str:
    text = environ.get(name, "").rstrip("/")
    if text and not text.startswith("/"):
        raise SettingError(f"{name}: should begin with '/', not {text!r}")
    return text


def _some(
    environ: Mapping[str, str], name: str, known: tuple[str, ...], default: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return the exporters that a variable names with commas; `none` is none of them."""
    chosen = _several(environ, name, known) or default
    return tuple(part for part in chosen if part != "none")


def _several(environ: Mapping[str, str], name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    chosen = tuple(part.strip() for part in environ.get(name, "").split(",") if part.strip())
    for part in chosen:
        if part not in known:
            raise SettingError(f"{name}: should be one of {', '.join(known)}, not {part!r}")
    return chosen


def _protocol(environ: Mapping[str, str], default: str, what: str = "TRACES") -> str:
    """Return how OTLP is spoken; the variable that is for traces, or metrics, alone wins."""
    names = (f"OTEL_EXPORTER_OTLP_{what}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    name = next((one for one in names if environ.get(one, "").strip()), names[-1])
    return _choice(environ, name, PROTOCOLS, default)


def _check_protocol_of_metrics(environ: Mapping[str, str]) -> None:
    if _protocol(environ, PROTOCOLS[0], "METRICS") != PROTOCOLS[0]:
        raise SettingError(
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: should be http/protobuf where "
            "OTEL_METRICS_EXPORTER is otlp: metrics do not go over gRPC"
        )
