"""`runtime.asgi:application`, what ASGI servers load: the same layers, through asgiref."""

import inspect
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from asgiref.sync import SyncToAsync
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from asgiref.wsgi import WsgiToAsgiInstance

from runtime import settings, wsgi
from runtime.boot import errors_in_one_line
from runtime.servers.drain import drain

with errors_in_one_line():
    _pool = ThreadPoolExecutor(
        settings.whole(os.environ, "THREADS", 4, "threads", least=1), "request"
    )


def _closing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Close the answer at its end, which asgiref does not do: the span would stay open."""
    # asgiref has read the body to its end: one of unknown length is not an empty one.
    environ["wsgi.input_terminated"] = True
    body = wsgi.application(environ, start_response)
    try:
        yield from body
    finally:
        close = getattr(body, "close", None)
        if close:
            close()


class _Request(WsgiToAsgiInstance):
    """One request, in a thread of its own: asgiref has one thread for all requests."""

    run_wsgi_app: Any = SyncToAsync(
        inspect.unwrap(WsgiToAsgiInstance.run_wsgi_app), thread_sensitive=False, executor=_pool
    )


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Answer one request; raises ValueError for what is none, as ASGI has it."""

    async def announce(message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start" and drain().announced():
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        await send(message)

    await _Request(_closing)(scope, receive, announce)  # type: ignore[no-untyped-call]
