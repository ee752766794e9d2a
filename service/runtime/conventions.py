"""What OpenTelemetry's HTTP conventions (stable) call the parts of a WSGI request."""

from wsgiref.types import WSGIEnvironment

from opentelemetry.propagators.textmap import Getter

OTHER = "_OTHER"
_METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY")
)
# Clients choose these texts: longer ones are cut.
_LONGEST = 256


def method(environ: WSGIEnvironment) -> str:
    """Return the method, or one name for all that HTTP does not know: clients can invent many."""
    name: str = environ["REQUEST_METHOD"]
    return name if name in _METHODS else OTHER


def path(environ: WSGIEnvironment) -> str:
    """Return the path as text; WSGI's paths are bytes in disguise."""
    whole: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return whole[:_LONGEST].encode("latin-1", "replace").decode("utf-8", "replace")


def attributes(
    environ: WSGIEnvironment, method: str, path: str, server: str
) -> dict[str, str | int]:
    """Return a server span's attributes, as far as they are known at its start."""
    name = environ.get("HTTP_HOST") or environ.get("SERVER_NAME") or ""
    host, _, port = name.partition(":")
    port = port or environ.get("SERVER_PORT", "")
    found: dict[str, str | int] = {
        "http.request.method": method,
        # The query is left out: it may hold secrets.
        "url.path": path,
        "url.scheme": environ.get("wsgi.url_scheme", ""),
        "server.address": host[:_LONGEST],
        "client.address": environ.get("REMOTE_ADDR", ""),
        "user_agent.original": environ.get("HTTP_USER_AGENT", "")[:_LONGEST],
        "network.protocol.version": environ.get("SERVER_PROTOCOL", "").partition("/")[2],
        "webengine.name": server,
    }
    if port.isdecimal():
        found["server.port"] = int(port)
    if method == OTHER:
        found["http.request.method_original"] = environ["REQUEST_METHOD"][:_LONGEST]
    return {name: value for name, value in found.items() if value != ""}


def header_key(header: str) -> str:
    """Return the name that a header has in WSGI's environment."""
    return "HTTP_" + header.upper().replace("-", "_")


class _EnvironGetter(Getter[WSGIEnvironment]):
    """Reads a request's headers for the propagators."""

    def get(self, carrier: WSGIEnvironment, key: str) -> list[str] | None:
        value = carrier.get(header_key(key))
        return None if value is None else [value]

    def keys(self, carrier: WSGIEnvironment) -> list[str]:
        return [name[5:].lower().replace("_", "-") for name in carrier if name.startswith("HTTP_")]


GETTER = _EnvironGetter()
