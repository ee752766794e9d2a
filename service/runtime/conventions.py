"""What OpenTelemetry's HTTP conventions (stable) call the parts of a WSGI request."""

import functools
import os
from wsgiref.types import WSGIEnvironment

from opentelemetry.propagators.textmap import Getter

OTHER = "_OTHER"
_STANDARD = "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS,TRACE,CONNECT,QUERY"
# The conventions want a list of the operator's own, in place of the standard one.
_METHODS = frozenset(
    name.strip()
    for name in (
        os.environ.get("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "").strip() or _STANDARD
    ).split(",")
)
_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}
#: What metrics call a scheme; what is not among them is _OTHER.
SCHEMES = {None: ""} | {name: name for name in ("", *_PORTS)}
# Clients choose these texts: longer ones are cut.
_LONGEST = 256
# What a body's headers are called in WSGI, as in CGI.
BARE = ("CONTENT_TYPE", "CONTENT_LENGTH")
# Of the largest port.
_DIGITS = 5


def method(environ: WSGIEnvironment) -> str:
    """Return the method, or one name for all that HTTP does not know: clients can invent many."""
    name: str = environ["REQUEST_METHOD"]
    return name if name in _METHODS else OTHER


def path(environ: WSGIEnvironment) -> str:
    """Return the path as text; WSGI's paths are bytes in disguise."""
    whole: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    short = whole[:_LONGEST]
    return short if short.isascii() else short.encode("latin-1", "replace").decode(errors="replace")


def attributes(
    environ: WSGIEnvironment, method: str, path: str, server: str
) -> dict[str, str | int]:
    """Return a server span's attributes, as far as they are known at its start."""
    scheme, named = environ.get("wsgi.url_scheme", ""), environ.get("HTTP_HOST")
    # A client that names no port means its scheme's, whichever one a proxy comes to.
    default = _PORTS.get(scheme, "") if named else environ.get("SERVER_PORT", "")
    host, port = _address(named or environ.get("SERVER_NAME") or "", default)
    found: dict[str, str | int] = {
        "http.request.method": method,
        # The query is left out: it may hold secrets.
        "url.path": path,
        "url.scheme": scheme,
        "server.address": host,
        "client.address": environ.get("REMOTE_ADDR", ""),
        "user_agent.original": environ.get("HTTP_USER_AGENT", "")[:_LONGEST],
        "network.protocol.version": environ.get("SERVER_PROTOCOL", "").partition("/")[2],
        "webengine.name": server,
    }
    if port is not None:
        found["server.port"] = port
    if method == OTHER:
        found["http.request.method_original"] = environ["REQUEST_METHOD"][:_LONGEST]
    if "" not in found.values():
        return found
    return {name: value for name, value in found.items() if value != ""}


# The same few, again and again; a client that invents many pays no more than before.
@functools.lru_cache(maxsize=64)
def _address(name: str, default: str) -> tuple[str, int | None]:
    """Return host and port of a Host header; an IPv6 address has colons of its own, in brackets."""
    host, port = _parted(name)
    port = port or default
    # Python refuses to make a number of thousands of digits, and the request would be lost.
    known = port.isascii() and port.isdecimal() and len(port) <= _DIGITS
    return host[:_LONGEST], int(port) if known else None


def _parted(name: str) -> tuple[str, str]:
    if name.startswith("[") and "]" in name:
        host, _, rest = name[1:].partition("]")
        return host, rest.removeprefix(":")
    # Without brackets more than one colon is an address, and none of them a port's.
    host, _, port = name.partition(":")
    return (name, "") if ":" in port else (host, port)


def header_key(header: str) -> str:
    """Return the name that a header has in WSGI's environment."""
    name = header.upper().replace("-", "_")
    return name if name in BARE else f"HTTP_{name}"


class _EnvironGetter(Getter[WSGIEnvironment]):
    """Reads a request's headers for the propagators."""

    def get(self, carrier: WSGIEnvironment, key: str) -> list[str] | None:
        value = carrier.get(header_key(key))
        return None if value is None else [value]

    def keys(self, carrier: WSGIEnvironment) -> list[str]:
        return [name[5:].lower().replace("_", "-") for name in carrier if name.startswith("HTTP_")]


GETTER = _EnvironGetter()
