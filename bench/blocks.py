"""A process that calls the app in a loop, a turn at a time, and says what CPU time it has taken.

It reads the number of requests from stdin, and none at the end of a round; its answers go to the
descriptor of BENCH_ANSWERS, as stdout is the log.
"""

import io
import json
import os
import sys
import time
from wsgiref.types import WSGIApplication, WSGIEnvironment

from bench import apps

_HEAD = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "QUERY_STRING": "",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "8000",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "127.0.0.1",
    "REMOTE_PORT": "40000",
    "HTTP_HOST": "127.0.0.1:8000",
    "HTTP_USER_AGENT": "bench/1",
    "HTTP_ACCEPT": "*/*",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}


def _begin(status: str, _headers: object, _error: object = None) -> None:
    # A figure for errors that are fast would be a fine one.
    if not status.startswith("200"):
        raise RuntimeError(f"the app answered {status}")


def request(app: WSGIApplication, environ: WSGIEnvironment) -> None:
    """Call the app as a server would."""
    body = app(environ, _begin)  # type: ignore[arg-type]
    for _piece in body:
        pass
    close = getattr(body, "close", None)
    if close:
        close()


def turn(app: WSGIApplication, path: str, count: int) -> float:
    """Ask `count` times, or send what waits; returns the CPU seconds of all threads so far."""
    for _ in range(count):
        request(app, {**_HEAD, "PATH_INFO": path, "RAW_URI": path, "wsgi.input": io.BytesIO(),
                      "wsgi.errors": sys.stderr})  # fmt: skip
    if not count:
        apps.flush()
    return time.process_time()


def main() -> None:
    app, path = apps.application, os.environ["BENCH_PATH"]
    with open(int(os.environ["BENCH_ANSWERS"]), "w", buffering=1) as answers:
        for line in sys.stdin:
            print(json.dumps(turn(app, path, int(line))), file=answers)


if __name__ == "__main__":
    main()
