import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from prometheus_client import CollectorRegistry
from werkzeug.test import Client

from runtime.health import Health
from runtime.metrics import Metrics
from runtime.settings import Settings


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"the app"]


def health(check: Callable[[], Any] | None = None, **changes: Any) -> Client:
    config = Settings(ready="shop:ready", **changes)
    return Client(Health(app, config, Metrics(config, CollectorRegistry()), check))


def until(client: Client, status: int) -> Any:
    deadline = time.monotonic() + 10
    while (response := client.get("/readyz")).status_code != status:
        assert time.monotonic() < deadline, response.text
        time.sleep(0.02)
    return response.json


def test_alive_whatever_the_check_says() -> None:
    assert health(lambda: False).get("/healthz").status_code == 200


def test_without_a_check_it_is_ready_at_once() -> None:
    assert health().get("/readyz").json == {"status": "ready", "checks": {}}


@pytest.mark.parametrize(
    ("answer", "detail"), [(False, "it returned False"), (OSError("no"), "OSError: no")]
)
def test_not_ready_says_why(answer: Any, detail: str) -> None:
    def check() -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    response = health(check).get("/readyz")
    assert response.status_code == 503
    assert response.json["checks"] == {"shop:ready": {"ok": False, "detail": detail}}


def test_once_ready_it_stays_ready_and_shows_the_outage() -> None:
    answers = [OSError("not yet"), None, OSError("gone")]

    def check() -> None:
        answer = answers[0] if len(answers) == 1 else answers.pop(0)
        if answer:
            raise answer

    client = health(check)
    assert client.get("/readyz").status_code == 503
    until(client, 200)
    deadline = time.monotonic() + 10
    while (state := client.get("/readyz")).json["checks"]["shop:ready"]["ok"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert state.status_code == 200
    assert state.json["checks"]["shop:ready"]["detail"] == "OSError: gone"


def test_a_check_that_hangs_does_not_hold_the_answer() -> None:
    release = threading.Event()
    client = health(lambda: release.wait(30))
    began = time.monotonic()
    response = client.get("/readyz")
    took = time.monotonic() - began
    release.set()
    assert response.json["checks"]["shop:ready"]["detail"] == "no answer yet"
    assert took < 5
    until(client, 200)


def test_a_checks_own_queries_are_not_traced() -> None:
    seen: list[bool] = []
    health(lambda: seen.append(is_instrumentation_enabled())).get("/readyz")
    assert seen == [False]


def test_version_names_what_runs() -> None:
    version = health(release="r7", commit="abc", server="test").get("/version").json
    assert (version["release"], version["commit"], version["server"]) == ("r7", "abc", "test")
    assert set(version) == {"release", "commit", "server", "worker", "app", "python"}


def test_metrics_name_the_build() -> None:
    response = health(release="r7").get("/metrics")
    assert 'moorings_build_info{commit="",release="r7",server="wsgi"} 1.0' in response.text
    assert 'otel_spans_dropped_total{exporter="otlp",reason="queue_full"} 0.0' in response.text


def test_metrics_come_in_the_form_that_is_accepted() -> None:
    client = health()
    plain = client.get("/metrics", headers={"Accept": "*/*"})
    assert plain.content_type.startswith("text/plain; version=")
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    newer = client.get("/metrics", headers={"Accept": accept})
    assert newer.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert newer.text.endswith("# EOF\n")


def test_the_prefix_moves_all_four() -> None:
    client = health(health_prefix="/ops")
    assert client.get("/healthz").text == "the app"
    assert {client.get(f"/ops/{name}").status_code for name in ("healthz", "readyz")} == {200}


def test_other_methods_are_refused() -> None:
    response = health().post("/healthz")
    assert response.status_code == 405
    assert response.content_type == "application/problem+json"
    assert response.headers["Allow"] == "GET, HEAD"
    assert health().head("/healthz").data == b""
