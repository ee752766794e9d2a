"""What the runtime learns from Flask where an app is one; nothing imports Flask for it."""

import sys
import traceback
from wsgiref.types import WSGIEnvironment


def route(environ: WSGIEnvironment) -> str:
    """Return the rule that Flask matched, or nothing where another framework answers."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    if rule is not None:
        return str(rule.rule)
    # A layer of the app may have handed another environment on.
    flask = sys.modules.get("flask")
    if flask is None or not flask.has_request_context():
        return ""
    rule = flask.request.url_rule
    return str(rule.rule) if rule else ""


def route_left_by(error: BaseException) -> str:
    """Return the rule of a request that Flask has forgotten, as `error` left it.

    Flask clears what it knows before anybody outside hears of the error: its frame still has it.
    """
    for frame, _line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == "wsgi_app":
            rule = getattr(getattr(frame.f_locals.get("ctx"), "request", None), "url_rule", None)
            if rule is not None:
                return str(rule.rule)
    return ""


def route_seen_from_outside(environ: WSGIEnvironment) -> str:
    """Return what `route` gives, for a request that another thread answers."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return str(rule.rule) if rule else ""


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
