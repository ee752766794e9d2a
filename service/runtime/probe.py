"""The app under /_probe/ that a test of a deployment asks; there only with PROBE=1."""

import hashlib
import itertools
import math
import os
import resource
import time
from collections.abc import Iterable, Iterator
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException

from runtime import problems

PREFIX = "/_probe/"
_LONGEST = 600.0  # seconds
_MOST_PIECES = 100_000
_MOST_MEGABYTES = 2048
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Mount:
    """Puts the probe app beside `app` and counts the requests of both."""

    def __init__(self, app: WSGIApplication, release: str) -> None:
        self._app = app
        self._seen = itertools.count(1)
        self._probe = make_probe(release)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["moorings.requests"] = next(self._seen)
        if environ.get("PATH_INFO", "").startswith(PREFIX):
            return self._probe.wsgi_app(environ, start_response)
        return self._app(environ, start_response)


def make_probe(release: str) -> Flask:
    """Build the probe app; `release` is what its answers name."""
    app = Flask("probe", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    rules = (
        ("sleep/<seconds>", _sleep), ("stream/<int:pieces>/<seconds>", _stream),
        ("crash", _crash), ("status/<int:code>", _status), ("hang", _hang),
        ("counters", _counters), ("hoard/<int:megabytes>", _hoard),
    )  # fmt: skip
    for rule, view in rules:
        app.add_url_rule(PREFIX + rule, view_func=view, methods=["GET"])
    app.add_url_rule(
        PREFIX + "echo", view_func=_echo, methods=_METHODS, provide_automatic_options=False
    )
    app.register_error_handler(HTTPException, _problem)
    app.config["RELEASE"] = release
    return app


def _problem(error: HTTPException) -> Response:
    trace_id = request.environ.get(problems.TRACE_ID, "")
    made = problems.make(error.code or 500, error.description or "", trace_id)
    kept = [(name, value) for name, value in error.get_headers() if name == "Allow"]
    return Response(made.body, made.status, [*made.headers, *kept])


def _sleep(seconds: str) -> dict[str, object]:
    time.sleep(_seconds(seconds))
    return _who()


def _hang() -> dict[str, object]:
    time.sleep(_LONGEST)
    return _who()


def _hoard(megabytes: int) -> dict[str, object]:
    if megabytes > _MOST_MEGABYTES:
        abort(400, f"At most {_MOST_MEGABYTES} megabytes.")
    # Written, or the kernel would only promise them; let go with the answer.
    hoarded = [b"\1" * 1024 * 1024 for _ in range(megabytes)]
    return _who() | {"hoarded": len(hoarded)}


def _stream(pieces: int, seconds: str) -> Response:
    pause = _seconds(seconds)
    if pieces > _MOST_PIECES or pieces * pause > _LONGEST:
        abort(400, f"At most {_MOST_PIECES} pieces in {_LONGEST:.0f} seconds.")
    answer = Response(_pieces(pieces, pause), mimetype="text/plain")
    # A gateway that buffers answers, as nginx does, hands this one on as it comes.
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


def _pieces(pieces: int, pause: float) -> Iterator[str]:
    for number in range(pieces):
        if number:
            time.sleep(pause)
        yield f"piece {number}\n"


def _crash() -> Response:
    raise RuntimeError("probe crash, as asked for")


def _status(code: int) -> Response:
    if not 200 <= code <= 599:
        abort(400, "A status from 200 to 599.")
    return Response(status=code)


def _echo() -> dict[str, object]:
    digest, length = hashlib.sha256(), 0
    while piece := request.stream.read(64 * 1024):
        digest.update(piece)
        length += len(piece)
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query_string.decode("latin-1"),
        "headers": dict(request.headers),
        "length": length,
        "sha256": digest.hexdigest(),
        "remote": request.remote_addr,
        "scheme": request.scheme,
        "host": request.host,
    }


def _counters() -> dict[str, object]:
    # Linux counts in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return _who() | {"requests": request.environ["moorings.requests"], "max_rss_bytes": peak}


def _who() -> dict[str, object]:
    from flask import current_app

    return {
        "hostname": os.uname().nodename,
        "pid": os.getpid(),
        "release": current_app.config["RELEASE"],
    }


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _LONGEST:
        abort(400, f"Seconds from 0 to {_LONGEST:.0f}.")
    return seconds
