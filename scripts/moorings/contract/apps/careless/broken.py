"""An app that names spans and metrics by what clients ask for, and logs their cookies."""

import logging
from wsgiref.types import WSGIEnvironment

import flask

from runtime import frameworks


def _path(environ: WSGIEnvironment) -> str:
    return str(flask.request.path) if flask.has_request_context() else ""


def _log(_app: flask.Flask, **_more: object) -> None:
    logging.getLogger("broken").info("cookies: %s", flask.request.headers.get("Cookie"))


frameworks.route = _path
flask.request_started.connect(_log)
app = flask.Flask(__name__)
