"""/healthz, /readyz, /version and /metrics, beside any app."""

import json
import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from opentelemetry.instrumentation.utils import suppress_instrumentation

from runtime import problems
from runtime.logs import redact
from runtime.metrics import Metrics
from runtime.settings import Settings

# A check runs at most this often (seconds), and a request waits for it at most that long:
# a database that hangs must not hold the prober's request.
_FRESH = 1.0
_PATIENCE = 1.0
_log = logging.getLogger("runtime.health")


class Readiness:
    """What the app says of itself; once it has been ready, it stays ready.

    A later outage shows in the state's text only: taking every replica out at once helps nobody.
    """

    def __init__(self, name: str, check: Callable[[], Any] | None) -> None:
        self._name = name
        self._check = check
        self._lock = threading.Lock()
        self._running: threading.Thread | None = None
        self._asked = float("-inf")
        self._detail: str | None = "not asked yet"
        self.ready = check is None

    def ask(self) -> dict[str, object]:
        """Run the check if its last answer is old, then return the newest answer there is."""
        if self._check is None:
            return {}
        thread = self._begin()
        thread.join(_PATIENCE)
        detail = "no answer yet" if thread.is_alive() else self._detail
        return {self._name: {"ok": detail is None} | ({"detail": detail} if detail else {})}

    def _begin(self) -> threading.Thread:
        with self._lock:
            old = time.monotonic() - self._asked > (_FRESH if self.ready else _PATIENCE / 4)
            if self._running is None or (old and not self._running.is_alive()):
                self._running = threading.Thread(target=self._run, name="ready", daemon=True)
                self._running.start()
            return self._running

    def _run(self) -> None:
        # The check's own queries are nobody's request.
        with suppress_instrumentation():
            detail = self._judge()
        self._asked = time.monotonic()
        if detail != self._detail:
            _log.log(
                logging.WARNING if detail else logging.INFO, "%s: %s", self._name, detail or "ready"
            )
        self._detail = detail
        self.ready = self.ready or detail is None

    def _judge(self) -> str | None:
        assert self._check
        try:
            return "it returned False" if self._check() is False else None
        # Whatever the app's function raises means "not ready", and is shown.
        except Exception as error:
            return redact(f"{type(error).__name__}: {error}")[:300]


class Health:
    """Answers the operator's paths and leaves all others to the app."""

    def __init__(
        self,
        app: WSGIApplication,
        settings: Settings,
        metrics: Metrics,
        check: Callable[[], Any] | None,
    ) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._readiness = Readiness(settings.ready, check)
        self._pages = dict(
            zip(paths(settings), (self._alive, self._ready, self._version, self._sums), strict=True)
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        page = self._pages.get(environ.get("PATH_INFO", ""))
        if page is None:
            return self._app(environ, start_response)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return problems.answer(_NOT_ALLOWED, environ, start_response)
        status, body, media_type = page(environ)
        headers = [("Content-Type", media_type), ("Content-Length", str(len(body)))]
        start_response(status, [*headers, ("Cache-Control", "no-store")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _alive(self, _environ: WSGIEnvironment) -> tuple[str, bytes, str]:
        return _json("200 OK", {"status": "alive"})

    def _ready(self, _environ: WSGIEnvironment) -> tuple[str, bytes, str]:
        checks = self._readiness.ask()
        if self._readiness.ready:
            return _json("200 OK", {"status": "ready", "checks": checks})
        return _json("503 Service Unavailable", {"status": "not ready", "checks": checks})

    def _version(self, _environ: WSGIEnvironment) -> tuple[str, bytes, str]:
        settings = self._settings
        version = {
            "release": settings.release,
            "commit": settings.commit,
            "server": settings.server,
            "worker": os.getpid(),
            "app": settings.app,
            "python": platform.python_version(),
        }
        return _json("200 OK", version)

    def _sums(self, environ: WSGIEnvironment) -> tuple[str, bytes, str]:
        return "200 OK", *self._metrics.render(environ.get("HTTP_ACCEPT", ""))


def paths(settings: Settings) -> tuple[str, str, str, str]:
    """Return the operator's paths: alive, ready, version, metrics."""
    prefix = settings.health_prefix
    return f"{prefix}/healthz", f"{prefix}/readyz", f"{prefix}/version", f"{prefix}/metrics"


_NOT_ALLOWED = problems.make(
    405, "Only GET and HEAD are answered here.", headers=(("Allow", "GET, HEAD"),)
)


def _json(status: str, content: dict[str, object]) -> tuple[str, bytes, str]:
    return status, json.dumps(content).encode() + b"\n", "application/json"
