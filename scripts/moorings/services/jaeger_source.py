"""Where the Jaeger of a deployment comes from: a decision, apart from carrying it out."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from moorings.errors import SettingsError
from moorings.settings import Jaeger as Settings

#: The Jaeger that the module v1.76.0 in go.mod is; the image's tag says the same.
VERSION = "2.13.0"


class Kind(Enum):
    """The ways to have a Jaeger, in the order in which they are taken."""

    ENDPOINT = "endpoint"
    URL = "url"
    BINARY = "binary"
    IMAGE = "image"
    BUILD = "build"


@dataclass(frozen=True)
class Source:
    """The way that was taken, and why in one line."""

    kind: Kind
    sentence: str
    what: str = ""
    """The program, the image, or nothing."""

    @property
    def ours(self) -> bool:
        """Tell whether moor starts it, and so must stop it."""
        return self.kind in (Kind.BINARY, Kind.IMAGE, Kind.BUILD)


@dataclass(frozen=True)
class Machine:
    """What is asked of this machine, each only if the answer matters."""

    program: Callable[[str], str]
    """The path of a program by its name or path; empty where there is none that runs."""
    has_image: Callable[[str], bool]
    """Whether a Docker engine answers and has the image or can pull it."""
    is_built: Callable[[], bool]
    """Whether a finished build lies in the cache."""


def choose(settings: Settings, machine: Machine) -> Source:
    """Return the first way that is open, in the order of `Kind`.

    :raises SettingsError: where a setting names what is not there.
    """
    if settings.endpoint:
        return _endpoint(settings)
    if settings.url:
        return Source(
            Kind.URL,
            f"to the Jaeger that runs at {settings.url}; it takes them at {otlp(settings)}",
        )
    if settings.binary:
        return _given(settings.binary, machine)
    found = machine.program("jaeger")
    if found:
        return Source(Kind.BINARY, f"to a Jaeger started from {found}, found on PATH", found)
    if machine.has_image(settings.image):
        return Source(Kind.IMAGE, f"to a Jaeger in a container of {settings.image}", settings.image)
    when = "earlier" if machine.is_built() else "now (once, about 4 minutes)"
    return Source(Kind.BUILD, f"to Jaeger {VERSION}, built from its Go module {when}")


def _endpoint(settings: Settings) -> Source:
    shown = (
        f"and are shown by {settings.url}" if settings.url else "which shows none: set JAEGER_URL"
    )
    return Source(
        Kind.ENDPOINT, f"to the collector at {otlp(settings)}, {shown}; no Jaeger is started"
    )


def _given(binary: str, machine: Machine) -> Source:
    found = machine.program(binary)
    if not found:
        raise SettingsError(
            f"jaeger.binary: {binary} is no program that can be run",
            hint="set JAEGER_BIN to a Jaeger v2 program, or leave it empty",
        )
    return Source(Kind.BINARY, f"to a Jaeger started from {found}, as JAEGER_BIN says", found)


def otlp(settings: Settings) -> str:
    """Return where a Jaeger or collector that runs already takes OTLP over HTTP.

    :raises SettingsError: where an address is none.
    """
    if settings.endpoint:
        return _address("endpoint", settings.endpoint)
    return f"http://{_host(settings)}:{settings.otlp_http_port}"


def otlp_grpc(settings: Settings) -> str:
    """Return where a Jaeger that runs already takes OTLP over gRPC; empty where none is named.

    An endpoint that the operator names is taken as it is, whatever is spoken there.
    """
    own = settings.url and not settings.endpoint
    return f"http://{_host(settings)}:{settings.otlp_grpc_port}" if own else ""


def _host(settings: Settings) -> str:
    host = urlsplit(query(settings)).hostname or ""
    return f"[{host}]" if ":" in host else host


def thrift(settings: Settings) -> str:
    """Return where a Jaeger that runs already takes its own protocol; empty where none is named."""
    return thrift_url(_host(settings), settings.thrift_http_port) if settings.url else ""


def thrift_url(host: str, port: int) -> str:
    """Return the address for what a Jaeger exporter sends over HTTP."""
    return f"http://{host}:{port}/api/traces"


def query(settings: Settings) -> str:
    """Return where a Jaeger that runs already answers queries; empty where it is not said.

    :raises SettingsError: where the address is none.
    """
    return _address("url", settings.url) if settings.url else ""


def _address(key: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            f"jaeger.{key}: should be an address as http://host:port, not {url!r}",
            hint="`./moor config` shows where it comes from",
        )
    return url.rstrip("/")


def why_no_trace(settings: Settings) -> str:
    """Return why no trace can be shown where there is no query address."""
    if settings.endpoint:
        return (
            f"no trace is shown: the collector at {settings.endpoint} takes spans and gives none; "
            "JAEGER_URL=http://host:16686 names the Jaeger behind it"
        )
    return "no Jaeger runs for this deployment"
