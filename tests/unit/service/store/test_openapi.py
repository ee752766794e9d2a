"""The document against the app: made-up requests, and every answer as documented."""

import re

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

FEW = settings(
    max_examples=6,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_documented(app: Flask, mode: GenerationMode) -> None:
    document = schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) == 12
    for operation in operations:
        takes = [*operation.iter_parameters(), *operation.body]
        if mode is GenerationMode.NEGATIVE and not takes:
            continue  # takes nothing that could be wrong

        @FEW
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: schemathesis.Case) -> None:
            case.call_and_validate()

        check()


def test_the_document_names_every_route_of_the_api(app: Flask) -> None:
    document = app.test_client().get("/api/openapi.json").json
    routes = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/")}
    documented = {re.sub(r"<\w+:(\w+)>", r"{\1}", route) for route in routes}
    assert set(document["paths"]) == documented - {"/api/openapi.json"}
