"""Calls that an app makes: each library in a process of its own, as it is changed for good."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

SERVICE = Path(__file__).resolve().parents[4] / "service"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLS = {
    "requests": "import requests; requests.get(url, timeout=5)",
    "httpx": "import httpx; httpx.get(url, timeout=5, trust_env=False)",
    "urllib3": "import urllib3; urllib3.PoolManager().request('GET', url, timeout=5)",
}
PROGRAM = """
import os, sys
os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "http,database"
from opentelemetry import context, propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from runtime import outgoing
trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
outgoing.trace(tuple(filter(None, [sys.argv[3]])))
headers = {"traceparent": "00-%s-%s-01", "tracestate": "shop=7,other=x"}
headers["baggage"] = "user=ann,tier=2"
context.attach(propagate.extract(headers))
url = sys.argv[1]
exec(sys.argv[2])
""" % (TRACE, PARENT)  # noqa: UP031


class Called(HTTPServer):
    headers: dict[str, str]


@pytest.fixture
def called() -> Iterator[Called]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = Called(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def call(called: Called, library: str, traced: str) -> None:
    url = f"http://127.0.0.1:{called.server_port}/"
    argv = [sys.executable, "-c", PROGRAM, url, CALLS[library], traced]
    environ = {"PYTHONPATH": str(SERVICE), "PATH": ""}
    ran = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("library", CALLS)
def test_a_call_carries_the_callers_context(called: Called, library: str) -> None:
    pytest.importorskip(f"opentelemetry.instrumentation.{library}")
    call(called, library, library)
    version, trace_id, span_id, flags = called.headers["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", TRACE, "01")
    assert span_id != PARENT
    assert called.headers["tracestate"] == "shop=7,other=x"
    assert sorted(called.headers["baggage"].split(",")) == ["tier=2", "user=ann"]


def test_without_the_setting_calls_are_left_alone(called: Called) -> None:
    call(called, "urllib3", "")
    assert "traceparent" not in called.headers


def test_a_library_that_is_not_there_is_named() -> None:
    code = (
        "import sys, json; sys.modules['httpx'] = None\n"
        "sys.modules['opentelemetry.instrumentation.httpx'] = None\n"
        "from runtime import outgoing\n"
        "try: outgoing.trace(('httpx',))\n"
        "except Exception as error: print(json.dumps([type(error).__name__, str(error)]))"
    )
    environ = {"PYTHONPATH": str(SERVICE), "PATH": ""}
    ran = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True,
                         timeout=60)  # fmt: skip
    kind, words = json.loads(ran.stdout)
    assert kind == "SettingError"
    assert words.startswith("TRACE_CALLS: httpx cannot be traced")
