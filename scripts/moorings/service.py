"""The environment that the service reads: written from the settings, here and nowhere else."""

import os
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from moorings import addresses, capacity, guarded
from moorings.errors import SettingsError
from moorings.layout import Layout
from moorings.runner import User
from moorings.settings import App, Settings
from moorings.target import Release
from moorings.users import hand_over

#: The sample in service/store and what is particular to it.
SAMPLE = App(ready="store.ready:check", migrate="python -m store.migrate")


def is_sample(settings: Settings) -> bool:
    """Tell whether the sample is what is deployed, and not the operator's own app."""
    return not settings.app.dir


def app_folder(settings: Settings) -> Path:
    """Return the folder of the operator's own app.

    :raises SettingsError: if there is none.
    """
    folder = Path(settings.app.dir).expanduser().absolute()
    if not folder.is_dir():
        raise SettingsError(
            f"app.dir: there is no folder {folder}", hint="APP_DIR= names the folder of your app"
        )
    return folder


def requirements(settings: Settings) -> Path | None:
    """Return the requirements of the operator's own app, where it has some."""
    file = app_folder(settings) / "requirements.txt"
    return file if file.is_file() else None


def migrate_command(settings: Settings) -> str:
    """Return the command that migrates the database, empty where the app has none."""
    return settings.app.migrate or (SAMPLE.migrate if is_sample(settings) else "")


def environment(
    settings: Settings,
    layout: Layout,
    release: Release,
    column: str,
    otlp: str,
    hops: int = 0,
    thrift: str = "",
    grpc: str = "",
) -> dict[str, str]:
    """Return what the service's processes of a release read.

    :param otlp: base address of the collector, OTLP over HTTP; empty: traces are not sent.
    :param hops: proxies of the target's own before the app; those of the settings are before them.
    :param thrift: where the collector takes Jaeger's own protocol over HTTP; empty: not known.
    :param grpc: where it takes OTLP over gRPC; empty: where it takes the other.
    :raises SettingsError: naming the setting that cannot be used.
    """
    app = settings.app
    ready = app.ready or (SAMPLE.ready if is_sample(settings) else "")
    env = {
        **_own(app.env_file),
        # The address is part of what is deployed: another one is another configuration.
        "BIND": addresses.wanted(settings.server),
        # moor itself asks the routes of health and version.
        "HEALTH_PREFIX": "",
        "DATA_DIR": str(layout.data),
        "APP": app.app,
        "READY": ready,
        "RELEASE": release.version,
        "COMMIT": release.commit,
        "SERVER": column,
        "PROBE": "1" if settings.server.probe else "",
        "ENVIRONMENT": settings.deployment.environment,
        "LOG_FORMAT": settings.server.log_format,
        "LOG_LEVEL": settings.server.log_level,
        "TRACE_CALLS": settings.app.trace_calls,
        "MAX_BODY_BYTES": str(settings.server.max_body),
        "PROXY_HOPS": str(settings.server.proxy_hops + hops),
        **_server(settings),
        **_database(settings, layout),
        "SECRET_KEY_FILE": str(_secret_key(layout)),
        **_telemetry(settings, otlp),
        **_legacy(settings, thrift),
    }
    if grpc and _speaks_grpc(env):
        # Of traces alone: metrics go over HTTP.
        env.setdefault("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", grpc)
    # Every name is always there, so that a reload can empty one; an empty one counts as unset.
    return env


def _own(env_file: str) -> dict[str, str]:
    if not env_file:
        return {}
    file = Path(env_file).expanduser()
    if not file.is_file():
        raise SettingsError(f"app.env_file: there is no file {file}", hint="name one that exists")
    values = dotenv_values(file, interpolate=False)
    return {name: value for name, value in values.items() if value is not None}


def _server(settings: Settings) -> dict[str, str]:
    server = settings.server
    return {
        "WEB_CONCURRENCY": str(capacity.workers(settings)),
        "THREADS": str(server.threads),
        "GRACEFUL_TIMEOUT": str(server.grace),
        "KEEP_ALIVE": str(server.keep_alive),
        "TIMEOUT": str(server.timeout),
        "MAX_REQUESTS": str(server.max_requests),
        "REQUEST_DEADLINE": str(server.deadline),
    }


def _database(settings: Settings, layout: Layout) -> dict[str, str]:
    app = settings.app
    if app.database_url_file:
        return {"DATABASE_URL": _content("app.database_url_file", app.database_url_file)}
    if app.database_url:
        return {"DATABASE_URL": app.database_url}
    if not is_sample(settings):
        return {}
    return {"DATABASE_URL": f"sqlite:///{layout.data}/store.db"}


def _content(key: str, name: str) -> str:
    try:
        return Path(name).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(f"{key}: {problem}", hint="name a file that you may read") from None


def _secret_key(layout: Layout) -> Path:
    return layout.secrets / "secret_key"


def prepare(layout: Layout, user: User | None) -> None:
    """Make the folders that the service writes to, and its secret key, at first use.

    Nobody else may look in: the code may bring its own secrets, the data is the customers'.
    """
    hand_over(layout.data, user)
    layout.home.chmod(0o750)
    if user is not None:
        os.chown(layout.home, 0, user.gid)
    hand_over(layout.secrets, user).chmod(0o700)
    file = _secret_key(layout)
    if not file.exists():
        guarded.leave(file, secrets.token_urlsafe(48), user.owner if user else None)


def _telemetry(settings: Settings, otlp: str) -> dict[str, str]:
    """Hand over what OpenTelemetry's own variables say; add where the traces go."""
    # Spans leave every second: an operator who looks for a trace should not wait for 5.
    env = {"OTEL_BSP_SCHEDULE_DELAY": "1000", **settings.otel}
    if settings.jaeger.exporter:
        env["OTEL_TRACES_EXPORTER"] = settings.jaeger.exporter
    if otlp:
        env["OTEL_EXPORTER_OTLP_ENDPOINT"] = otlp
    elif "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" not in env:
        env.setdefault("OTEL_TRACES_EXPORTER", "none")
    return env


def _speaks_grpc(env: Mapping[str, str]) -> bool:
    both = env.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")
    return (env.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or both).strip().lower() == "grpc"


def exporters(settings: Settings) -> list[str]:
    """Return what sends the traces."""
    return [one.strip() for one in (settings.jaeger.exporter or "otlp").split(",") if one.strip()]


def is_legacy(settings: Settings) -> bool:
    """Tell whether the Jaeger exporter is wanted, which needs an older SDK."""
    return "jaeger" in exporters(settings)


#: The exporter's own variables that say where it sends: one of the operator's is left alone.
PLACES = tuple(f"OTEL_EXPORTER_JAEGER_{name}" for name in ("ENDPOINT", "AGENT_HOST", "AGENT_PORT"))


def _legacy(settings: Settings, thrift: str) -> dict[str, str]:
    """Let the Jaeger exporter send to the collector: a datagram to its agent may be lost unheard.

    An agent that the operator names is sent to.
    """
    named = any(settings.otel.get(name) for name in PLACES)
    if not is_legacy(settings) or named or not thrift:
        return {}
    return {PLACES[0]: thrift}


def traces_off(settings: Settings) -> str:
    """Return which of OpenTelemetry's own variables keeps the traces away; empty: none does."""
    otel = settings.otel
    if otel.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return "OTEL_SDK_DISABLED is set"
    sent = exporters(settings)
    if is_legacy(settings):
        return ""
    if "otlp" not in sent:
        return f"jaeger.exporter is {', '.join(sent)}"
    if "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" in otel:
        return "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT sends them elsewhere"
    return ""


def process_environment(
    env: Mapping[str, str], python_path: list[Path], place: Path
) -> dict[str, str]:
    """Return the whole environment of a process of the service, in its virtual environment."""
    return {
        "PATH": f"{place / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": ":".join(str(path) for path in python_path),
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
        **env,
    }


def words(command: str) -> list[str]:
    """Split a command of the settings as a shell would, without one."""
    try:
        return shlex.split(command)
    except ValueError as problem:
        raise SettingsError(f"app.migrate: {problem} in {command!r}") from None
