"""Reads a view's signature: what it takes is validated, what it gives is documented.

One source for both, so that the document cannot drift from what the code accepts.
"""

import re
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar, get_type_hints

from apispec import APISpec
from flask import Flask, Response, request
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.routing import BaseConverter

from store.schemas import CART_ID, ORDER_NUMBER, SKU, Problem

Model = type[BaseModel]
Given = TypeVar("Given")
Created = tuple[Given, int, str]  # with its status and its own path
PATHS = {"cart_id": CART_ID, "sku": SKU, "number": ORDER_NUMBER}
CONVERTERS = {name: type(name, (BaseConverter,), {"regex": PATHS[name]}) for name in PATHS}
REFERENCE = "#/components/schemas/{model}"
BODY_PROBLEMS = (400, 413, 415)


def operation(
    gives: Model | None, status: int = 200, *others: int, problems: tuple[int, ...] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Response]]:
    """Turn `view(path parameters, body=, query=, headers=)` into a Flask view.

    `status` is that of success, `others` may be given by the view; `problems` are those that the
    rules of the shop may answer besides what bad input gets.
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., Response]:
        hints = get_type_hints(view)
        takes: dict[str, Model] = {p: hints[p] for p in ("body", "query", "headers") if p in hints}
        refused = {503, *problems, *([422] if takes else []), *BODY_PROBLEMS * ("body" in takes)}
        answers: dict[int, Model | None] = dict.fromkeys(sorted(refused), Problem)
        answers |= dict.fromkeys((status, *others), gives)

        @wraps(view)
        def wrapped(**path: Any) -> Response:
            given = {place: _read(place, model) for place, model in takes.items()}
            return _respond(gives, view(**path, **given), status)

        models = {*answers.values(), *takes.values()} - {None}
        wrapped.__dict__.update(operation=_describe(view, takes, answers), models=models)
        return wrapped

    return decorate


def _read(place: str, model: Model) -> BaseModel:
    if place != "body":
        source = request.args if place == "query" else request.headers
        return model.model_validate(dict(source.items()))
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send the body as application/json.")
    return model.model_validate_json(request.get_data())


def _respond(gives: Model | None, result: Any, status: int) -> Response:
    if gives is None:
        return Response(status=status)
    result, status, path = result if isinstance(result, tuple) else (result, status, None)
    body = gives.model_validate(result).model_dump_json()
    headers = {"Location": path} if path else {}
    return Response(body, status, headers, content_type="application/json")


def _describe(
    view: Callable[..., Any], takes: dict[str, Model], answers: dict[int, Model | None]
) -> dict[str, Any]:
    summary, _, text = (view.__doc__ or "").partition("\n")
    described: dict[str, Any] = {
        "operationId": view.__name__,
        "summary": summary,
        "description": " ".join(text.split()),
        "parameters": [*_parameters("query", takes), *_parameters("headers", takes)],
        "responses": {
            str(status): {"description": HTTPStatus(status).phrase} | _content(model)
            for status, model in answers.items()
        },
    }
    if "body" in takes:
        described["requestBody"] = {"required": True} | _content(takes["body"])
    return described | ({"security": [{"session": []}]} if 401 in answers and not takes else {})


def _parameters(place: str, takes: dict[str, Model]) -> list[dict[str, Any]]:
    schemas = takes[place].model_json_schema()["properties"] if place in takes else {}
    return [{"name": n, "in": place.removesuffix("s"), "schema": s} for n, s in schemas.items()]


def _content(model: Model | None) -> dict[str, Any]:
    if model is None:
        return {}
    kind = "application/problem+json" if model is Problem else "application/json"
    return {"content": {kind: {"schema": {"$ref": REFERENCE.format(model=model.__name__)}}}}


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of all views of `app` made by `operation`."""
    spec = APISpec(title="The store", version="1", openapi_version="3.1.0")
    cookie = {"type": "apiKey", "in": "cookie", "name": app.config["SESSION_COOKIE_NAME"]}
    spec.components.security_scheme("session", cookie)
    models: set[Model] = set()
    for rule in app.url_map.iter_rules():
        view: Any = app.view_functions[rule.endpoint]
        if hasattr(view, "operation"):
            path = re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule)
            methods = {name.lower() for name in rule.methods or ()} - {"head", "options"}
            operations = dict.fromkeys(sorted(methods), view.operation)
            spec.path(path, operations=operations, parameters=_in_path(rule.arguments))
            models |= view.models
    _add_schemas(spec, models)
    return spec.to_dict()


def _in_path(names: set[str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "schema": {"type": "string", "pattern": f"^{PATHS[name]}$"}}
        for name in sorted(names)
    ]


def _add_schemas(spec: APISpec, models: set[Model]) -> None:
    ordered = sorted(models, key=lambda model: model.__name__)
    _, found = models_json_schema(
        [(model, "validation") for model in ordered], by_alias=False, ref_template=REFERENCE
    )
    for name, schema in found["$defs"].items():
        spec.components.schema(name, schema)
