import contextlib
import gc
import socket
from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from flask import Flask, Response, request
from opentelemetry import baggage, propagate
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, create_environ

from runtime.deadline import Exceeded, Watch
from runtime.exchange import Exchange

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def app() -> Flask:
    app = Flask("shop")
    app.add_url_rule("/items/<int:number>", view_func=lambda number: {"number": number})
    app.add_url_rule("/crash", view_func=crash)
    app.add_url_rule("/stream", view_func=stream)
    return app


def crash() -> None:
    raise ValueError("flavour")


def stream() -> Response:
    return Response(iter(["one", "two"]))


def plain(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"plain"]


def failing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    raise ValueError("flavour")


def test_a_flask_request_has_a_span_with_its_route(layer: Any, app: Flask) -> None:
    layer.ask(app, "/items/3?secret=x", headers={"User-Agent": "test"})
    (span,) = layer.spans()
    assert span.name == "GET /items/<int:number>"
    assert dict(span.attributes) == {
        "http.request.method": "GET",
        "http.route": "/items/<int:number>",
        "http.response.status_code": 200,
        "url.path": "/items/3",
        "url.scheme": "http",
        "server.address": "localhost",
        "server.port": 80,
        "user_agent.original": "test",
        "network.protocol.version": "1.1",
        "webengine.name": "test-server",
    }
    assert span.status.is_unset


def test_the_callers_trace_goes_on_and_comes_back(layer: Any, app: Flask) -> None:
    header = f"00-{TRACE}-{PARENT}-01"
    response = layer.ask(app, "/items/3", headers={"traceparent": header})
    (span,) = layer.spans()
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT
    version, trace_id, span_id, flags = response.headers["traceresponse"].split("-")
    assert (version, trace_id, span_id) == ("00", TRACE, f"{span.context.span_id:016x}")
    assert int(flags, 16) & 1


def test_baggage_and_tracestate_go_through_to_whom_the_app_calls(layer: Any) -> None:
    sent = {
        "traceparent": f"00-{TRACE}-{PARENT}-01",
        "tracestate": "shop=7,other=x",
        "baggage": "user=ann,tier=2",
    }
    seen: dict[str, object] = {}
    outgoing: dict[str, str] = {}

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.update(baggage.get_all())
        propagate.inject(outgoing)
        return plain(environ, start_response)

    layer.ask(app, "/", headers=sent)
    (span,) = layer.spans()
    assert seen == {"user": "ann", "tier": "2"}
    parent = f"00-{TRACE}-{span.context.span_id:016x}-01"
    assert outgoing == {**sent, "traceparent": parent}
    assert span.context.trace_state.to_header() == sent["tracestate"]
    # The next request has none of it.
    seen.clear()
    outgoing.clear()
    layer.ask(app, "/")
    assert (seen, outgoing.keys()) == ({}, {"traceparent"})


@pytest.mark.parametrize("header", ["", "00-0-0-01", "x" * 5000, f"00-{'0' * 32}-{PARENT}-01"])
def test_a_malformed_trace_begins_a_new_one(layer: Any, header: str) -> None:
    layer.ask(plain, "/", headers={"traceparent": header})
    (span,) = layer.spans()
    assert span.parent is None


def test_the_callers_no_is_kept(layer: Any) -> None:
    header = f"00-{TRACE}-{PARENT}-00"
    response = layer.ask(plain, "/", headers={"traceparent": header})
    assert layer.spans() == ()
    assert response.headers["traceresponse"].endswith("-00")


def test_an_app_that_is_not_flask(layer: Any) -> None:
    assert layer.ask(plain, "/").data == b"plain"
    (span,) = layer.spans()
    assert span.name == "GET"
    assert "http.route" not in span.attributes


def test_odd_methods_are_one_name(layer: Any) -> None:
    layer.ask(plain, "/", method="BREW")
    (span,) = layer.spans()
    assert span.name == "HTTP"
    assert span.attributes["http.request.method"] == "_OTHER"
    assert span.attributes["http.request.method_original"] == "BREW"
    assert 'http_request_method="_OTHER"' in layer.metrics()


def test_an_exception_that_flask_swallows_is_recorded(layer: Any, app: Flask) -> None:
    assert layer.ask(app, "/crash").status_code == 500
    (span,) = layer.spans()
    assert span.name == "GET /crash"
    assert span.attributes["error.type"] == "ValueError"
    (event,) = span.events
    assert event.attributes["exception.message"] == "flavour"
    assert not span.status.is_ok


def test_an_exception_that_leaves_the_app_is_a_problem(layer: Any) -> None:
    response = layer.ask(failing, "/")
    (span,) = layer.spans()
    assert response.status_code == 500
    assert response.content_type == "application/problem+json"
    assert response.headers.getlist("Content-Length") == [str(len(response.data))]
    assert response.json["trace_id"] == f"{span.context.trace_id:032x}"
    assert b"flavour" not in response.data
    assert [event.name for event in span.events] == ["exception"]


def test_a_stream_is_timed_to_its_end(layer: Any, app: Flask) -> None:
    response = Client(layer.around(app)).get("/stream", buffered=False)
    pieces = iter(response.response)
    assert next(pieces) == b"one"
    assert layer.spans() == ()
    assert "http_server_active_requests 1.0" in layer.metrics()
    assert list(pieces) == [b"two"]
    response.close()
    assert [span.name for span in layer.spans()] == ["GET /stream"]
    assert "http_server_active_requests 0.0" in layer.metrics()


def test_a_client_that_goes_leaves_an_incomplete_answer(layer: Any, app: Flask) -> None:
    response = Client(layer.around(app)).get("/stream", buffered=False)
    next(iter(response.response))
    response.close()
    (span,) = layer.spans()
    assert span.attributes["moorings.response.incomplete"] is True
    assert layer.log.lines()[-1]["incomplete"] is True


def test_an_answer_that_has_begun_is_cut(layer: Any) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"begun"
        raise ValueError("flavour")

    heads: list[str] = []
    answer = _call(layer, app, heads)
    assert next(answer) == b"begun"
    with pytest.raises(ConnectionResetError):
        next(answer)
    answer.close()
    (span,) = layer.spans()
    assert heads == ["200 OK"]
    assert span.attributes["error.type"] == "ValueError"


def test_an_app_that_never_starts_its_answer(layer: Any) -> None:
    response = layer.ask(lambda environ, start_response: [], "/")
    assert response.status_code == 500


def test_the_write_callable_of_old_apps(layer: Any) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])(b"written ")
        return [b"returned"]

    written: list[bytes] = []
    exchange = layer.around(app)(create_environ("/"), lambda *_: written.append)
    assert written + list(exchange) == [b"written ", b"returned"]
    exchange.close()
    assert layer.log.lines()[-1]["bytes"] == len(b"written returned")


def test_an_app_may_replace_its_answer_before_it_begins(layer: Any) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("X-First", "1")])
        try:
            raise ValueError("flavour")
        except ValueError as error:
            start_response("418 I'm a teapot", [], (ValueError, error, None))
        return [b""]

    response = layer.ask(app, "/")
    assert response.status_code == 418
    assert "X-First" not in response.headers


def test_untraced_paths_leave_nothing(layer: Any) -> None:
    app = layer.around(plain, untraced=frozenset({"/healthz"}))
    assert Client(app).get("/healthz").data == b"plain"
    assert layer.spans() == ()
    assert layer.log.lines() == []


def test_metrics_count_by_what_the_conventions_name(layer: Any, app: Flask) -> None:
    for number in range(3):
        layer.ask(app, f"/items/{number}")
    labels = (
        'error_type="",http_request_method="GET",http_response_status_code="200",'
        'http_route="/items/<int:number>",url_scheme="http"'
    )
    assert f"http_server_request_duration_seconds_count{{{labels}}} 3.0" in layer.metrics()


@pytest.mark.parametrize(("said", "counted"), [("https", "https"), ("javascript", "_OTHER")])
def test_schemes_are_few(layer: Any, app: Flask, said: str, counted: str) -> None:
    """A proxy may hand on whatever a client says of it."""
    layer.ask(app, "/items/1", environ_overrides={"wsgi.url_scheme": said})
    assert f'url_scheme="{counted}"}} 1.0' in layer.metrics()


def test_a_failure_is_counted_by_its_type(layer: Any, app: Flask) -> None:
    app.add_url_rule("/breaks", "breaks", lambda: 1 // 0)
    app.add_url_rule("/away", "away", lambda: ("away", 503))
    layer.ask(app, "/breaks")
    layer.ask(app, "/away")
    text = layer.metrics()
    assert 'error_type="ZeroDivisionError",http_request_method="GET"' in text
    assert 'error_type="503",http_request_method="GET",http_response_status_code="503"' in text


def test_the_line_of_a_request(layer: Any, app: Flask) -> None:
    environ = {"REMOTE_ADDR": "192.0.2.1"}
    headers = {"Authorization": "Bearer hush", "Cookie": "session=hush"}
    layer.ask(app, "/items/3?token=hush", headers=headers, environ_base=environ)
    (line,) = layer.log.lines()
    (span,) = layer.spans()
    assert line["trace_id"] == f"{span.context.trace_id:032x}"
    assert line["span_id"] == f"{span.context.span_id:016x}"
    assert line["duration_ms"] >= 0
    assert line["bytes"] == len('{"number":3}\n')
    fixed = ("level", "method", "path", "route", "status", "client", "release")
    assert [line[name] for name in fixed] == [
        "info", "GET", "/items/3", "/items/<int:number>", 200, "192.0.2.1", "unreleased",
    ]  # fmt: skip
    assert "hush" not in layer.log.text()


def test_paths_are_logged_as_text_and_not_in_full(layer: Any) -> None:
    layer.ask(plain, "/käse")
    layer.ask(plain, "/" + "x" * 3000)
    first, second = layer.log.lines()
    assert first["path"] == "/käse"
    assert len(second["path"]) == 256


def test_nothing_is_kept_of_a_request_that_is_over(layer: Any, app: Flask) -> None:
    layer.ask(app, "/items/3")
    gc.collect()
    assert not [found for found in gc.get_objects() if type(found) is Exchange]


def _call(layer: Any, app: Any, heads: list[str]) -> Any:
    return layer.around(app)(create_environ("/"), lambda status, headers, *_: heads.append(status))


def test_a_second_head_is_the_apps_mistake_and_no_deadline(layer: Any) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"begun"
        start_response("200 OK", [])

    with pytest.raises(ConnectionResetError, match="the app failed"):
        layer.ask(app, "/")
    assert layer.spans()[0].attributes["error.type"] == "AssertionError"


def test_an_exception_shows_no_credentials(layer: Any) -> None:
    layer.ask(breaking(ValueError("no postgresql://shop:hush@db/shop with Bearer hush")), "/")
    (span,) = layer.spans()
    (event,) = span.events
    assert (
        event.attributes["exception.message"] == "no postgresql://shop:***@db/shop with Bearer ***"
    )
    assert "hush" not in event.attributes["exception.stacktrace"]


class Unshown(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def test_an_exception_that_cannot_be_shown_is_answered(layer: Any) -> None:
    assert layer.ask(breaking(Unshown()), "/").status_code == 500
    (span,) = layer.spans()
    assert span.attributes["error.type"] == "Unshown"


class GreenletExit(BaseException):
    """As gevent's, which ends what a worker leaves."""


def breaking(error: BaseException, begin: bool = False) -> Any:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        if begin:
            start_response("200 OK", [])
            yield b"begun"
        raise error

    return app


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize(("begin", "status"), [(False, 500), (True, 200)])
def test_what_no_handler_catches_is_an_error(
    layer: Any, kind: type[BaseException], begin: bool, status: int
) -> None:
    with pytest.raises(kind):
        layer.ask(breaking(kind("flavour"), begin), "/")
    (span,) = layer.spans()
    assert span.attributes["error.type"] == kind.__name__
    assert span.attributes["http.response.status_code"] == status
    assert [event.name for event in span.events] == ["exception"]
    assert f'status_code="{status}"' in layer.metrics()


def test_nor_when_the_app_is_called(layer: Any) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise SystemExit("flavour")

    with pytest.raises(SystemExit):
        layer.ask(app, "/")
    (span,) = layer.spans()
    assert span.attributes["error.type"] == "SystemExit"
    assert layer.log.lines()[-1]["level"] == "error"


@pytest.mark.parametrize("kind", [GreenletExit, Exceeded])
def test_what_ends_a_request_from_outside_is_none(layer: Any, kind: type[BaseException]) -> None:
    with pytest.raises(kind):
        layer.ask(breaking(kind()), "/")
    (span,) = layer.spans()
    assert "error.type" not in span.attributes


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_an_error_that_leaves_flask_has_its_route(
    layer: Any, app: Flask, kind: type[BaseException]
) -> None:
    def leave(number: int) -> None:
        raise kind(f"flavour {number}")

    app.add_url_rule("/left/<int:number>", view_func=leave)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with contextlib.suppress(SystemExit):
        layer.ask(app, "/left/3")
    (span,) = layer.spans()
    assert span.name == "GET /left/<int:number>"
    assert 'http_response_status_code="500",http_route="/left/<int:number>"' in layer.metrics()


def test_apps_below_one_address_have_routes_of_their_own(layer: Any, app: Flask) -> None:
    both = DispatcherMiddleware(app, {"/admin": app})
    app.config["PROPAGATE_EXCEPTIONS"] = True
    for path in ("/items/4", "/admin/items/4", "/admin/crash"):
        layer.ask(both, path)
    layer.ask(another_environment(both), "/admin/items/4")
    assert [span.name for span in layer.spans()] == [
        "GET /items/<int:number>",
        "GET /admin/items/<int:number>",
        "GET /admin/crash",
        "GET /admin/items/<int:number>",
    ]
    assert 'http_route="/admin/items/<int:number>",url_scheme="http"} 2.0' in layer.metrics()


def another_environment(app: Any) -> Any:
    return lambda environ, start_response: app({**environ}, start_response)


class Session(Response):
    """Ends as Flask-Sock's answer does on Gunicorn."""

    def __call__(self, *_about: Any) -> Any:
        raise StopIteration


def sessions() -> Flask:
    """Return an app that answers upgrades, as simple-websocket does, and breaks in some."""
    app = Flask("shop")

    @app.route("/talk/<kind>")
    def talk(kind: str) -> Response:
        request.environ["gunicorn.socket"].send(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        if kind == "broken":
            raise ValueError("flavour")
        return Session()

    return app


def upgrade(layer: Any, path: str, watch: Watch | None = None) -> tuple[bytes, list[str]]:
    """Ask for an upgrade as Gunicorn calls the app; returns what was sent, and the heads."""
    ours, theirs = socket.socketpair()
    heads: list[str] = []
    with ours, theirs:
        environ = create_environ(path, headers={"Upgrade": "websocket"})
        environ["gunicorn.socket"] = theirs
        answer = layer.around(sessions(), watch=watch)(environ, lambda *said: heads.append(said[0]))
        try:
            list(answer)
        finally:
            answer.close()
        return ours.recv(100), heads


def test_the_end_of_a_websocket_session_is_no_failure(layer: Any) -> None:
    watch = Watch(1)
    with pytest.raises(StopIteration):
        upgrade(layer, "/talk/long", watch)
    (span,) = layer.spans()
    assert (span.name, span.attributes["http.response.status_code"]) == ("GET /talk/<kind>", 101)
    assert span.status.is_unset
    assert span.events == ()
    (line,) = layer.log.lines()
    assert (line["level"], line["status"]) == ("info", 101)
    assert watch.running() == 0


def test_nothing_is_answered_into_an_upgraded_socket(layer: Any) -> None:
    with pytest.raises(ConnectionResetError, match="upgraded"):
        upgrade(layer, "/talk/broken")
    (span,) = layer.spans()
    assert span.attributes["error.type"] == "ValueError"


def test_an_upgraded_socket_has_no_deadline(layer: Any) -> None:
    watch = Watch(0)
    running: list[int] = []
    ours, theirs = socket.socketpair()
    environ = create_environ("/", headers={"Upgrade": "websocket"})
    environ["gunicorn.socket"] = theirs

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["gunicorn.socket"].fileno()
        running.append(watch.running())
        environ["gunicorn.socket"].send(b"101")
        running.append(watch.running())
        raise StopIteration

    with ours, theirs, pytest.raises(StopIteration):
        layer.around(app, watch=watch)(environ, lambda *_about: None)
    # A client that asks for an upgrade, and gets none, is watched as any other.
    assert running == [1, 0]


def test_who_is_not_upgraded_gets_an_answer_for_a_stop_iteration(layer: Any) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise StopIteration

    assert layer.ask(app, "/", headers={"Upgrade": "websocket"}).status_code == 500
