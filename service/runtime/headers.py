"""Headers of requests that the operator wants on the spans, and those that nobody gets."""

import re
from wsgiref.types import WSGIEnvironment

from runtime.conventions import BARE, header_key
from runtime.settings import SettingError

VARIABLE = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST"
# They let their reader act for the client, whatever a list says; proxies send some of them on under
# names of their own, and it does no harm to lose x-author too.
_NEVER = re.compile("cookie|auth|session|passw|token|secret|api-?key|csrf")
# Clients choose these texts: longer ones are cut.
_LONGEST = 256


class Capture:
    """The headers of a list of names or regular expressions, with commas between them."""

    def __init__(self, wanted: str) -> None:
        names = [name.strip().lower() for name in wanted.split(",") if name.strip()]
        plain = [name for name in names if re.fullmatch(r"[\w-]+", name)]
        self._plain = {name: header_key(name) for name in plain if not _NEVER.search(name)}
        others = [f"(?:{name})" for name in names if name not in plain]
        try:
            self._pattern = re.compile("|".join(others)) if others else None
        except re.error as error:
            raise SettingError(f"{VARIABLE}: no regular expression: {error}") from None

    def __bool__(self) -> bool:
        return bool(self._plain or self._pattern)

    def of(self, environ: WSGIEnvironment) -> dict[str, tuple[str]]:
        """Return the attributes of a request."""
        # The bare ones are there, and empty, where the client has sent none.
        found = {name: environ[key] for name, key in self._plain.items() if environ.get(key)}
        if self._pattern:
            found |= self._matching(environ)
        return {f"http.request.header.{name}": (text[:_LONGEST],) for name, text in found.items()}

    def _matching(self, environ: WSGIEnvironment) -> dict[str, str]:
        sent = {key[5:]: value for key, value in environ.items() if key.startswith("HTTP_")}
        sent |= {key: environ[key] for key in BARE if environ.get(key)}
        named = {key.lower().replace("_", "-"): value for key, value in sent.items()}
        return {name: value for name, value in named.items() if self._wanted(name)}

    def _wanted(self, name: str) -> bool:
        wanted = self._pattern is not None and self._pattern.fullmatch(name) is not None
        return wanted and not _NEVER.search(name)
