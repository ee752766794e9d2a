"""Calls that the app makes to others: spans of them, and the trace context on their way."""

import importlib

from runtime.settings import SettingError
from runtime.spans import Attributes

_INSTRUMENTORS = {
    "httpx": "HTTPXClientInstrumentor",
    "requests": "RequestsInstrumentor",
    "urllib3": "URLLib3Instrumentor",
}
# By the stable conventions, and by those before.
_URLS = ("url.full", "http.url")


def without_query(said: Attributes) -> dict[str, str]:
    """Return the addresses of a span that have a query, without it: it may hold secrets."""
    return {
        name: text.partition("?")[0]
        for name in _URLS
        if isinstance(text := said.get(name), str) and "?" in text
    }


def trace(names: tuple[str, ...]) -> None:
    """Trace the calls of these libraries; raises SettingError where one is not installed."""
    for name in names:
        try:
            module = importlib.import_module(f"opentelemetry.instrumentation.{name}")
        except ModuleNotFoundError as error:
            raise SettingError(
                f"TRACE_CALLS: {name} cannot be traced: no module named {error.name!r}; "
                f"name it in the app's requirements, or leave it out"
            ) from None
        # What the app installs may be newer than what the instrumentation has seen.
        getattr(module, _INSTRUMENTORS[name])().instrument(skip_dep_check=True)
