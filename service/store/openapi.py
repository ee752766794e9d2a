"""Reads a view's signature: what it takes is validated, what it gives is documented.

One source for both, so that the document cannot drift from what the code accepts.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from typing import Any, get_args, get_type_hints

from apispec import APISpec
from flask import Flask, Response, request
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.routing import BaseConverter

from store.schemas import CART_ID, ORDER_NUMBER, SKU, Problem

Answer = BaseModel | tuple[BaseModel, int] | tuple[BaseModel, int, dict[str, str]] | None
PLACES = ("body", "query", "headers")
PATHS = {"cart_id": CART_ID, "sku": SKU, "number": ORDER_NUMBER}
CONVERTERS = {name: type(name, (BaseConverter,), {"regex": PATHS[name]}) for name in PATHS}


@dataclass(frozen=True)
class Operation:
    """What a view takes and may answer."""

    name: str
    text: str
    takes: dict[str, type[BaseModel]]
    gives: type[BaseModel] | None
    statuses: tuple[int, ...]
    problems: frozenset[int]
    account: bool

    def models(self) -> set[type[BaseModel]]:
        return {Problem, *self.takes.values(), *([self.gives] if self.gives else [])}

    def document(self) -> dict[str, Any]:
        summary, _, text = self.text.partition("\n")
        described: dict[str, Any] = {"operationId": self.name, "summary": summary}
        described |= {"description": " ".join(text.split()), "responses": self._responses()}
        described["parameters"] = [*self._parameters("query"), *self._parameters("headers")]
        if "body" in self.takes:
            content = {"application/json": {"schema": _reference(self.takes["body"])}}
            described["requestBody"] = {"required": True, "content": content}
        return described | ({"security": [{"session": []}]} if self.account else {})

    def _responses(self) -> dict[str, Any]:
        good = {str(status): _response(status, self.gives) for status in self.statuses}
        return good | {str(status): _response(status, Problem) for status in sorted(self.problems)}

    def _parameters(self, place: str) -> Iterable[dict[str, Any]]:
        if place not in self.takes:
            return
        for name, schema in self.takes[place].model_json_schema()["properties"].items():
            yield {"name": name, "in": place.removesuffix("s"), "schema": schema}


def operation(
    *statuses: int, problems: tuple[int, ...] = (), account: bool = False
) -> Callable[[Callable[..., Answer]], Callable[..., Response]]:
    """Turn `view(path parameters, body=, query=, headers=)` into a Flask view.

    `statuses` are those of success, the usual one first; `problems` those that the rules of
    the shop may answer besides what bad input gets.
    """

    def decorate(view: Callable[..., Answer]) -> Callable[..., Response]:
        hints = get_type_hints(view)
        takes = {name: hints[name] for name in PLACES if name in hints}
        gives = next((m for m in (hints["return"], *get_args(hints["return"])) if _model(m)), None)

        @wraps(view)
        def wrapped(**path: Any) -> Response:
            given = {place: _read(place, model) for place, model in takes.items()}
            return _respond(view(**path, **given), statuses[0])

        wrapped.__dict__["operation"] = Operation(
            view.__name__,
            view.__doc__ or "",
            takes,
            gives,
            statuses,
            frozenset({*problems, *_refusals(takes), *([401] if account else [])}),
            account,
        )
        return wrapped

    return decorate


def _model(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)


def _refusals(takes: dict[str, type[BaseModel]]) -> set[int]:
    body = {400, 413, 415} if "body" in takes else set()
    return {503, *body, *({422} if takes else set())}


def _read(place: str, model: type[BaseModel]) -> BaseModel:
    if place == "query":
        return model.model_validate(request.args.to_dict())
    if place == "headers":
        return model.model_validate(dict(request.headers))
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send the body as application/json.")
    return model.model_validate_json(request.get_data())


def _respond(result: Answer, status: int) -> Response:
    if result is None:
        return Response(status=status)
    model, *rest = result if isinstance(result, tuple) else (result, status)
    return Response(model.model_dump_json(), *rest, content_type="application/json")


def _response(status: int, model: type[BaseModel] | None) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if model is not None:
        kind = "application/problem+json" if model is Problem else "application/json"
        described["content"] = {kind: {"schema": _reference(model)}}
    return described


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of all views of `app` made by `operation`."""
    spec = APISpec(title="The store", version="1", openapi_version="3.1.0")
    cookie = {"type": "apiKey", "in": "cookie", "name": app.config["SESSION_COOKIE_NAME"]}
    spec.components.security_scheme("session", cookie)
    models: set[type[BaseModel]] = set()
    for rule in app.url_map.iter_rules():
        found = getattr(app.view_functions[rule.endpoint], "operation", None)
        if isinstance(found, Operation):
            methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            operations = {method.lower(): found.document() for method in sorted(methods)}
            spec.path(path, operations=operations, parameters=_in_path(rule.arguments))
            models |= found.models()
    _add_schemas(spec, models)
    return spec.to_dict()


def _in_path(names: set[str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True}
        | {"schema": {"type": "string", "pattern": f"^{PATHS[name]}$"}}
        for name in sorted(names)
    ]


def _add_schemas(spec: APISpec, models: set[type[BaseModel]]) -> None:
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schema = models_json_schema(
        [(model, "validation") for model in ordered],
        ref_template="#/components/schemas/{model}",
        by_alias=False,
    )
    for name, definition in schema["$defs"].items():
        spec.components.schema(name, definition)
