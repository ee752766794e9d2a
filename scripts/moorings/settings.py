"""What the operator sets: `moor.toml`, then `MOOR_<SECTION>_<KEY>`, then a flag; the later wins.

Read once into frozen dataclasses. An error names the key and where its value came from.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, cast

from moorings import words
from moorings.errors import SettingsError

S = TypeVar("S")

#: What may send the traces, as in OTEL_TRACES_EXPORTER.
EXPORTERS = ("otlp", "jaeger", "console", "none")

#: The word for what Moorings finds out by itself.
AUTO = "auto"


def option(
    default: Any,
    about: str,
    *,
    flag: str = "",
    make: str = "",
    env: str = "",
    least: int | None = None,
    most: int | None = None,
    choices: tuple[str, ...] = (),
    gone: Mapping[str, str] | None = None,
    auto: bool = False,
) -> Any:
    """Describe one setting.

    :param flag: its flag on the command line, as in ``--workers``.
    :param make: its short name as a variable of `make`.
    :param env: a standard variable of the environment that means the same.
    :param least: the smallest number allowed.
    :param most: the largest number allowed.
    :param gone: values that people know from elsewhere, and what became of each.
    :param auto: whether the word ``auto`` may be given, for the default.
    """
    return field(
        default=default,
        metadata={"about": about, "flag": flag, "make": make, "env": env, "least": least,
                  "most": most, "choices": choices, "gone": gone or {}, "auto": auto},
    )  # fmt: skip


@dataclass(frozen=True)
class Deployment:
    """Which deployment the commands speak of."""

    name: str = option("", "its name; empty: made from the path of the checkout", flag="--name")
    environment: str = option(
        "production", "what its traces say of it: production, staging", make="ENVIRONMENT"
    )
    state: str = option(
        "", "folder of its state; empty: /var/lib/moorings as root, else .moor in the checkout"
    )


@dataclass(frozen=True)
class App:
    """The WSGI application and what is particular to it."""

    app: str = option(
        "store:create_app()", "the app, as module:attribute or module:factory()",
        flag="--app", make="APP",
    )  # fmt: skip
    dir: str = option(
        "", "folder of your own app; empty: the sample in service/store",
        flag="--app-dir", make="APP_DIR",
    )  # fmt: skip
    ready: str = option(
        "", "module:function that raises while the app is not ready; empty: the sample's own",
        flag="--ready", make="READY",
    )  # fmt: skip
    migrate: str = option(
        "", "command that migrates the database, once per deploy; empty: the sample's own",
        flag="--migrate", make="MIGRATE",
    )  # fmt: skip
    env_file: str = option(
        "", "file of NAME=value lines for the app's environment", flag="--env-file", make="ENV_FILE"
    )
    trace_calls: str = option(
        "", "libraries whose outgoing calls are traced, with commas: requests, httpx, urllib3"
    )
    database_url: str = option(
        "", "URL of the database; empty: SQLite in the deployment's data folder", env="DATABASE_URL"
    )
    database_url_file: str = option(
        "", "file that holds the URL of the database", env="DATABASE_URL_FILE"
    )


@dataclass(frozen=True)
class Server:
    """How the app is served; each target writes these in its server's own words."""

    host: str = option("127.0.0.1", "address to listen on", flag="--host")
    port: int = option(
        8000, "port to listen on; 0: a free one", flag="--port", make="PORT", least=0, most=65535
    )
    socket: str = option(
        "", "path of a Unix socket to listen on, in place of host and port",
        flag="--socket", make="SOCKET",
    )  # fmt: skip
    workers: int = option(
        0, "worker processes; auto: as many as fit into the CPUs and the memory of the cgroup",
        flag="--workers", make="WORKERS", least=1, auto=True,
    )  # fmt: skip
    threads: int = option(4, "threads per worker", flag="--threads", make="THREADS", least=1)
    grace: int = option(30, "seconds that a running request may take at a stop", least=1)
    keep_alive: int = option(5, "seconds that a connection may stay idle", least=1)
    timeout: int = option(60, "seconds after which a silent worker is replaced", least=1)
    deadline: int = option(
        30, "seconds after which a request is cut, with 504; less than timeout; 0: never",
        make="DEADLINE", least=0,
    )  # fmt: skip
    max_requests: int = option(
        0, "requests after which a worker is replaced, not all at once; 0: never", least=0
    )
    max_body: int = option(104857600, "bytes of the largest request body; 0: no limit", least=0)
    proxy_hops: int = option(0, "proxies in front whose X-Forwarded-* are believed", least=0)
    probe: bool = option(False, "serve the contract's own routes under /_probe/")
    log_format: str = option("json", "form of the log lines", choices=("json", "text"))
    log_level: str = option(
        "info", "the least that is logged",
        choices=("debug", "info", "warning", "error", "critical"),
    )  # fmt: skip
    boot_timeout: int = option(60, "seconds within which a new release must be ready", least=1)


@dataclass(frozen=True)
class Gateway:
    """What clients reach before the app."""

    kind: str = option(
        "", "nginx before the app, or none; empty: as it runs, or as the target is meant to",
        flag="--gateway", make="GATEWAY", choices=("", "none", "nginx"),
    )  # fmt: skip


@dataclass(frozen=True)
class Jaeger:
    """Where the traces go."""

    exporter: str = option(
        "", "what sends the traces, one or several with commas: otlp, jaeger (Thrift, retired "
        "upstream), console or none; empty: otlp, where there is a collector",
        make="TRACES_EXPORTER", env="OTEL_TRACES_EXPORTER",
    )  # fmt: skip
    endpoint: str = option(
        "", "a collector that is there already (OTLP over HTTP); then no Jaeger is started",
        env="OTEL_EXPORTER_OTLP_ENDPOINT",
    )  # fmt: skip
    url: str = option("", "query address of a running Jaeger", make="JAEGER_URL", env="JAEGER_URL")
    binary: str = option("", "a Jaeger v2 program", make="JAEGER_BIN", env="JAEGER_BIN")
    image: str = option("jaegertracing/jaeger:2.13.0", "container image, where Docker answers")
    storage: str = option(
        "memory", "where traces are kept; badger keeps them over a restart",
        choices=("memory", "badger"),
    )  # fmt: skip
    max_traces: int = option(100000, "traces kept in memory", least=1)
    query_port: int = option(16686, "port of the UI and the query API", least=1, most=65535)
    query_grpc_port: int = option(16685, "port of the query API over gRPC", least=1, most=65535)
    otlp_http_port: int = option(4318, "port of OTLP over HTTP", least=1, most=65535)
    otlp_grpc_port: int = option(4317, "port of OTLP over gRPC", least=1, most=65535)
    thrift_compact_port: int = option(6831, "UDP port of Thrift compact", least=1, most=65535)
    thrift_http_port: int = option(14268, "port of Thrift over HTTP", least=1, most=65535)
    health_port: int = option(13133, "port of the health check", least=1, most=65535)
    metrics_port: int = option(8888, "port of Jaeger's own metrics", least=1, most=65535)


@dataclass(frozen=True)
class Settings:
    """All of it.

    `targets` holds each target's own section, by the target's name; `otel` the operator's
    standard OTEL_* variables, which go to the service as they are.
    """

    root: Path
    deployment: Deployment = Deployment()
    app: App = App()
    server: Server = Server()
    gateway: Gateway = Gateway()
    jaeger: Jaeger = Jaeger()
    targets: Mapping[str, object] = field(default_factory=dict)
    otel: Mapping[str, str] = field(default_factory=dict)

    def of(self, target: str, kind: type[S]) -> S:
        """Return a target's own section; its defaults where none was read."""
        section = self.targets.get(target)
        return section if isinstance(section, kind) else kind()


CORE: Mapping[str, type] = {
    "deployment": Deployment,
    "app": App,
    "server": Server,
    "gateway": Gateway,
    "jaeger": Jaeger,
}


def sections(targets: Mapping[str, type]) -> dict[str, type]:
    """Return every section by its name, in the order of `moor.toml`."""
    return {**CORE, **targets}


def load(
    root: Path,
    environ: Mapping[str, str],
    flags: Mapping[str, object],
    targets: Mapping[str, type],
) -> Settings:
    """Read the settings of a checkout.

    :param flags: by key, as in ``server.workers``; values as typed.
    :param targets: the class of each target's own section.
    :raises SettingsError: naming the key, the value and its origin.
    """
    known = sections(targets)
    given = {**_from_file(root / "moor.toml", known), **_from_environment(environ, known)}
    for key, value in flags.items():
        given[_known(key, known)] = (value, "a flag")
    made = {name: _section(name, kind, given) for name, kind in known.items()}
    _deadline_fits(cast(Server, made["server"]))
    _exporters_known(cast(Jaeger, made["jaeger"]))
    core = {name: made[name] for name in CORE}
    otel = {name: value for name, value in environ.items() if name.startswith("OTEL_")}
    return Settings(
        root=root, targets={name: made[name] for name in targets}, otel=otel, **cast(Any, core)
    )


_Given = dict[str, tuple[object, str]]


def _from_file(file: Path, known: Mapping[str, type]) -> _Given:
    if not file.exists():
        return {}
    try:
        tables = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as problem:
        raise SettingsError(f"{file}: {problem}", hint="mend the line it names") from None
    given: _Given = {}
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise SettingsError(f"{file}: {section}: should be a section, as in [server]")
        for key, value in table.items():
            given[_known(f"{section}.{key}", known, f"{file}: ")] = (value, str(file))
    return given


def _from_environment(environ: Mapping[str, str], known: Mapping[str, type]) -> _Given:
    given: _Given = {}
    for key, item in _all(known):
        ours = variable(key)
        for name in (item.metadata["env"], ours):
            # An empty variable is an unset one: `make` hands over what was not said as empty.
            if name and environ.get(name):
                given[key] = (environ[name], _origin(name, item))
    names = {variable(key) for key, _ in _all(known)}
    for name in environ:
        if name.startswith("MOOR_") and name not in names:
            raise SettingsError(f"{name}: no such setting{words.meant(name, names)}", hint=_LIST)
    return given


def _origin(name: str, item: "Field[Any]") -> str:
    make = item.metadata["make"]
    return f"{name}, or {make} of make" if make and name.startswith("MOOR_") else name


_LIST = "`./moor config` lists every setting; moor.toml explains them"


def _known(key: str, known: Mapping[str, type], where: str = "") -> str:
    names = [name for name, _ in _all(known)]
    if key not in names:
        raise SettingsError(f"{where}{key}: no such setting{words.meant(key, names)}", hint=_LIST)
    return key


def variable(key: str) -> str:
    """Return the variable of the environment for a key: ``MOOR_SERVER_WORKERS``."""
    return "MOOR_" + key.replace(".", "_").upper()


def _all(known: Mapping[str, type]) -> Iterator[tuple[str, "Field[Any]"]]:
    for section, kind in known.items():
        for item in fields(kind):
            yield f"{section}.{item.name}", item


def describe(targets: Mapping[str, type]) -> list[tuple[str, "Field[Any]"]]:
    """Return every setting, for flags and for the documents."""
    return list(_all(sections(targets)))


def _section(name: str, kind: type, given: _Given) -> object:
    values = {}
    for item in fields(kind):
        key = f"{name}.{item.name}"
        if key in given:
            value, origin = given[key]
            values[item.name] = _checked(key, item, value, origin)
    return kind(**values)


def _exporters_known(jaeger: Jaeger) -> None:
    for name in filter(None, map(str.strip, jaeger.exporter.split(","))):
        if name not in EXPORTERS:
            known, meant = ", ".join(EXPORTERS), words.meant(name, EXPORTERS)
            raise SettingsError(
                f"jaeger.exporter: should be of {known}, not {name!r}{meant}", hint=_LIST
            )


def _deadline_fits(server: Server) -> None:
    """See that a request is cut, and its span kept, before its worker is killed for it."""
    if server.deadline >= server.timeout:
        fact = f"should be less than server.timeout, {server.timeout}, not {server.deadline}"
        raise SettingsError(
            f"server.deadline: {fact}", hint="raise server.timeout too, or set the deadline to 0"
        )


def _checked(key: str, item: "Field[Any]", value: object, origin: str) -> object:
    if item.metadata["auto"] and value == AUTO:
        return item.default
    typed = _typed(item.type, value)
    if typed in item.metadata["gone"]:
        fact = f"{key}: {typed} was {item.metadata['gone'][typed]} (from {origin})"
        raise SettingsError(fact, hint=_LIST)
    wrong = _not_a(item.type) if typed is None else _out_of_range(item, typed)
    if wrong:
        wrong += f", or {AUTO}" * item.metadata["auto"]
        raise SettingsError(f"{key}: should be {wrong}, not {value!r} (from {origin})", hint=_LIST)
    return typed


def _typed(kind: object, value: object) -> object:
    """Return the value in its setting's type, or None where it has another."""
    if kind is bool:
        words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        return value if isinstance(value, bool) else words.get(str(value).lower())
    if kind is int:
        if isinstance(value, bool):
            return None
        text = str(value)
        return int(text) if text.isascii() and text.removeprefix("-").isdigit() else None
    return value if isinstance(value, str) and "\0" not in value else None


def _not_a(kind: object) -> str:
    names = {bool: "true or false", int: "a whole number", str: "text"}
    return names[cast(type, kind)]


def _out_of_range(item: "Field[Any]", value: object) -> str:
    limits = item.metadata
    if limits["choices"] and value not in limits["choices"]:
        return "one of " + ", ".join(filter(None, limits["choices"]))
    if limits["least"] is not None and cast(int, value) < limits["least"]:
        return f"{limits['least']} or more"
    if limits["most"] is not None and cast(int, value) > limits["most"]:
        return f"{limits['most']} or less"
    return ""
