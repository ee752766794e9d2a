"""`runtime.asgi:application`, what ASGI servers load: the same layers, through asgiref."""

import inspect
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from asgiref.sync import SyncToAsync
from asgiref.typing import (
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    ASGISendEvent,
    Scope,
)
from asgiref.wsgi import WsgiToAsgiInstance

from runtime import settings, wsgi
from runtime.boot import errors_in_one_line
from runtime.servers.drain import drain

with errors_in_one_line():
    _pool = ThreadPoolExecutor(
        settings.whole(os.environ, "THREADS", 4, "threads", least=1), "request"
    )
    _most_body_bytes = settings.read().max_body_bytes


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


def _bounded(receive: ASGIReceiveCallable, scope: Scope, most: int) -> ASGIReceiveCallable:
    """End a body one byte past the limit, and one that announces more at once.

    asgiref reads it to its end before the layer that refuses it is asked.
    """
    left = 0 if _announced(scope) > most else most + 1

    async def receive_some() -> ASGIReceiveEvent:
        nonlocal left
        if left <= 0:
            return {"type": "http.request", "body": b"", "more_body": False}
        message = await receive()
        if message["type"] == "http.request":
            left -= len(message["body"])
            message["more_body"] = message["more_body"] and left > 0
        return message

    return receive_some


def _announced(scope: Scope) -> int:
    headers = dict(scope["headers"]) if scope["type"] == "http" else {}
    length = headers.get(b"content-length", b"")
    return int(length) if length.isdigit() else 0


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Answer one request; raises ValueError for what is none, as ASGI has it."""

    async def announce(message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start" and drain().announced():
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        await send(message)

    if _most_body_bytes:
        receive = _bounded(receive, scope, _most_body_bytes)
    await _Request(_closing)(scope, receive, announce)  # type: ignore[no-untyped-call]
