"""Every error: problem JSON (RFC 9457) under /api, a page elsewhere."""

from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, render_template, request
from pydantic import ValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from store.errors import StoreError
from store.schemas import FieldError, Problem

RETRY_AFTER = 5  # seconds


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(StoreError, _store)
    app.register_error_handler(ValidationError, _invalid)
    for outage in (OperationalError, InterfaceError, PoolTimeoutError):
        app.register_error_handler(outage, _outage)


def _http(error: HTTPException) -> Response:
    answer = _answer(error.code or 500, error.description or "")
    own = ("Content-Type", "Content-Length")
    answer.headers.update([pair for pair in error.get_headers() if pair[0] not in own])
    return answer


def _store(error: StoreError) -> Response:
    return _answer(error.status, str(error), code=error.code)


def _invalid(error: ValidationError) -> Response:
    details = error.errors()
    if details[0]["type"] == "json_invalid":
        return _answer(400, "The body is not JSON in UTF-8.", code="malformed")
    fields = [FieldError(field=".".join(map(str, e["loc"])), detail=e["msg"]) for e in details]
    text = "; ".join(f"{item.field or 'body'}: {item.detail}" for item in fields[:3])
    return _answer(422, text, code="invalid", errors=fields)


def _outage(error: Exception) -> Response:
    # The driver's own words may name hosts and users: they are for the log only.
    cause = getattr(error, "orig", None) or error
    current_app.logger.error("database outage: %s", " ".join(str(cause).split()))
    answer = _answer(503, "The shop cannot reach its database. Try again soon.", code="outage")
    answer.headers["Retry-After"] = str(RETRY_AFTER)
    return answer


def _answer(status: int, detail: str, **more: Any) -> Response:
    title = HTTPStatus(status).phrase
    if not request.path.startswith("/api/"):
        return Response(render_template("error.html", title=title, detail=detail), status)
    problem = Problem(title=title, status=status, detail=detail, **more)
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, status, content_type="application/problem+json")
