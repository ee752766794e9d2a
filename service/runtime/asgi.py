"""`runtime.asgi:application`, what ASGI servers load: the same layers, through asgiref."""

from collections.abc import Iterator
from wsgiref.types import StartResponse, WSGIEnvironment

from asgiref.wsgi import WsgiToAsgi

from runtime import wsgi


def _closing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Close the answer at its end, which asgiref does not do: the span would stay open."""
    body = wsgi.application(environ, start_response)
    try:
        yield from body
    finally:
        close = getattr(body, "close", None)
        if close:
            close()


application = WsgiToAsgi(_closing)  # type: ignore[no-untyped-call]
