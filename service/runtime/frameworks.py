"""What the runtime learns from Flask where an app is one; nothing imports Flask for it."""

import sys
import traceback
from typing import Any
from wsgiref.types import WSGIEnvironment


def route(environ: WSGIEnvironment) -> str:
    """Return the rule that Flask matched, or nothing where another framework answers.

    By the conventions it begins with the root that the app is mounted at, which is known while the
    app answers: a dispatcher in front of several apps sets it for each request.
    """
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    if rule is not None:
        # In place, as every request comes here.
        return f"{environ.get('SCRIPT_NAME', '')}{rule.rule}"
    # A layer of the app may have handed another environment on.
    flask = sys.modules.get("flask")
    if flask is None or not flask.has_request_context():
        return ""
    return _rule(flask.request, flask.request.environ)


def _rule(request: Any, environ: WSGIEnvironment) -> str:
    rule = getattr(request, "url_rule", None)
    return f"{environ.get('SCRIPT_NAME', '')}{rule.rule}" if rule else ""


def route_left_by(error: BaseException) -> str:
    """Return the rule of a request that Flask has forgotten, as `error` left it.

    Flask clears what it knows before anybody outside hears of the error: its frame still has it.
    """
    for frame, _line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "wsgi_app":
            request = getattr(frame.f_locals.get("ctx"), "request", None)
            if found := request and _rule(request, request.environ):
                return found
    return ""


def route_seen_from_outside(environ: WSGIEnvironment) -> str:
    """Return what `route` gives, for a request that another thread answers."""
    return _rule(environ.get("werkzeug.request"), environ)


def watch(key: str) -> None:
    """Hand the exceptions that Flask turns into a 500 itself to `environ[key].note`."""
    flask = sys.modules.get("flask")
    if flask is None:
        return

    def note(_sender: object, exception: BaseException, **_more: object) -> None:
        exchange = flask.request.environ.get(key) if flask.has_request_context() else None
        if exchange is not None:
            exchange.note(exception)

    # Not weak: this function has no other owner.
    flask.got_request_exception.connect(note, weak=False)
