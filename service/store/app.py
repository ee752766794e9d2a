"""Puts the shop together."""

import logging

from flask import Flask, Response, request
from flask.sessions import SecureCookieSessionInterface
from flask_wtf.csrf import CSRFProtect  # type: ignore[import-untyped]

from store import db, openapi, problems
from store.api import api
from store.pages import pages
from store.settings import Settings

MAX_BODY = 1024 * 1024  # bytes; the biggest honest request is a few hundred
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# A year; never over plain HTTP (RFC 6797, 7.2).
OVER_TLS = {"Strict-Transport-Security": "max-age=31536000"}


class SessionCookie(SecureCookieSessionInterface):
    """Sent over TLS only, wherever the client came over TLS."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def create_app(settings: Settings | None = None) -> Flask:
    """Raise SettingsError. The database is not asked for before the first request."""
    settings = settings or Settings.from_env()
    # At info it names each of its plug-ins, in every worker that asks for the schema.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    app = Flask("store")
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=MAX_BODY,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,  # a form left open over lunch still works
    )
    app.session_interface = SessionCookie()
    app.url_map.converters |= openapi.CONVERTERS
    db.init_app(app, settings.database_url)
    problems.init_app(app)
    # The API takes JSON only, which no form on another site can send.
    CSRFProtect(app).exempt(api)
    app.register_blueprint(api)
    app.register_blueprint(pages)
    app.after_request(_secure)
    return app


def _secure(response: Response) -> Response:
    wanted = {**HEADERS, **OVER_TLS} if request.is_secure else HEADERS
    for name, value in wanted.items():
        response.headers.setdefault(name, value)
    return response
