"""`runtime.asgi:application`, what ASGI servers load: the same layers, through asgiref."""

import asyncio
import inspect
from collections.abc import Iterable, Iterator
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

from runtime import clients, settings, wsgi
from runtime.boot import errors_in_one_line
from runtime.problems import Problem
from runtime.servers.drain import drain
from runtime.servers.pool import pool

with errors_in_one_line():
    _pool = pool()
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
    """One request, in a thread of its own: asgiref has one thread for all requests.

    Its own task waits for that thread. To cut it is to cancel that wait, which costs the requests
    that are not cut nothing.
    """

    run_wsgi_app: Any = SyncToAsync(
        inspect.unwrap(WsgiToAsgiInstance.run_wsgi_app), thread_sensitive=False, executor=_pool
    )

    def __init__(self) -> None:
        super().__init__(_closing)  # type: ignore[no-untyped-call]
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._transport = clients.TRANSPORT.get()
        self._ended = self._cut = False
        self._problem: Problem | None = None

    def build_environ(self, scope: Scope, body: Any) -> WSGIEnvironment:
        environ: WSGIEnvironment = super().build_environ(scope, body)  # type: ignore[no-untyped-call]
        environ[clients.KEY] = self
        return environ

    async def run(self, receive: ASGIReceiveCallable, send: ASGISendCallable, scope: Scope) -> None:
        """Answer; raises CancelledError where the connection is gone."""
        try:
            await self(scope, receive, send)
        except asyncio.CancelledError:
            if not self._cut:
                raise
            await self._part(send)
        finally:
            self._ended = True

    def answer(self, problem: Problem) -> None:
        """Called from the watch's thread."""
        self._loop.call_soon_threadsafe(self._end, problem)

    def reset(self) -> None:
        """Called from the watch's thread."""
        self._loop.call_soon_threadsafe(self._end, None)

    def _end(self, problem: Problem | None) -> None:
        if self._ended or not self._task:
            return
        self._cut, self._problem = True, problem
        if not problem and self._transport:
            clients.linger(self._transport.get_extra_info("socket"))
            self._transport.abort()
        self._task.cancel()

    async def _part(self, send: ASGISendCallable) -> None:
        problem = self._problem
        if not problem:
            # The server takes it for a client that went, and closes without a word.
            raise asyncio.CancelledError
        if self._task:
            self._task.uncancel()
        named = [(name.lower().encode(), value.encode()) for name, value in problem.headers]
        await send({
            "type": "http.response.start", "status": int(problem.status[:3]),
            "headers": [*named, (b"connection", b"close")], "trailers": False,
        })  # fmt: skip
        await send({"type": "http.response.body", "body": problem.body, "more_body": False})


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


def _closed(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Say once that the connection closes; a request that was cut says it by itself."""
    others = [header for header in headers if header[0].lower() != b"connection"]
    return [*others, (b"connection", b"close")]


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Answer one request; raises ValueError for what is none, as ASGI has it."""

    async def announce(message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start" and drain().announced():
            message["headers"] = _closed(message["headers"])
        await send(message)

    if _most_body_bytes:
        receive = _bounded(receive, scope, _most_body_bytes)
    await _Request().run(receive, announce, scope)
