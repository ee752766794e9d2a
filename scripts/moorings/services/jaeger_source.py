"""Where the Jaeger of a deployment comes from: a decision, apart from carrying it out."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

#: The module's newest version by tag, and the Jaeger that it is.
MODULE_VERSION = "v1.76.0"
VERSION = "2.13.0"


class Kind(Enum):
    """The ways to have a Jaeger, in the order in which they are taken."""

    ENDPOINT = "endpoint"
    URL = "url"
    BINARY = "binary"
    IMAGE = "image"
    BUILD = "build"
    NONE = "none"


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


class Wishes(Protocol):
    """What the operator set; section [jaeger] of the settings."""

    @property
    def endpoint(self) -> str:
        """A collector that is there already."""

    @property
    def url(self) -> str:
        """The query address of a running Jaeger."""

    @property
    def binary(self) -> str:
        """A Jaeger v2 program."""

    @property
    def image(self) -> str:
        """A container image."""


@dataclass(frozen=True)
class Machine:
    """What is asked of this machine, each only if the answer matters."""

    on_path: Callable[[], str]
    """The path of `jaeger`, or nothing."""
    has_image: Callable[[str], bool]
    """Whether a Docker engine answers and has the image or can pull it."""
    is_built: Callable[[], bool]
    """Whether a finished build lies in the cache."""


def choose(wishes: Wishes, machine: Machine) -> Source:
    """Return the first way that is open, in the order of `Kind`."""
    if wishes.endpoint:
        return Source(Kind.ENDPOINT, f"to the collector at {wishes.endpoint}; no Jaeger is started")
    if wishes.url:
        return Source(Kind.URL, f"to the Jaeger that runs at {wishes.url}")
    program = wishes.binary or machine.on_path()
    if program:
        why = "JAEGER_BIN" if wishes.binary else "found on PATH"
        return Source(Kind.BINARY, f"to a Jaeger started from {program} ({why})", program)
    if machine.has_image(wishes.image):
        return Source(Kind.IMAGE, f"to a Jaeger in a container of {wishes.image}", wishes.image)
    if machine.is_built():
        return Source(Kind.BUILD, f"to Jaeger {VERSION}, built from its Go module earlier")
    return Source(
        Kind.BUILD, f"to Jaeger {VERSION}, built from its Go module now (once, about 4 minutes)"
    )


def why_no_trace(kind: Kind) -> str:
    """Return why no trace can be shown where there is no query address."""
    if kind is Kind.ENDPOINT:
        return "no trace is shown: the collector takes spans but gives none; set JAEGER_URL too"
    return "no Jaeger runs for this deployment"
