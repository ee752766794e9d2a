import json
import logging
import os
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from hypothesis import given
from hypothesis import strategies as some

from runtime import logs, records
from runtime.settings import Settings


def _logger(log: Any, name: str) -> logging.Logger:
    logger = logging.Logger(name)
    logger.addHandler(logs.handler(log.stream))
    return logger


def test_a_traceback_is_inside_its_line(make_log: Callable[..., Any]) -> None:
    log = make_log(release="r7")
    try:
        raise ValueError("flavour\nof two lines")
    except ValueError:
        _logger(log, "shop").exception("failed: %s", "why")
    (line,) = log.lines()
    assert (line["level"], line["logger"], line["message"]) == ("error", "shop", "failed: why")
    assert line["release"] == "r7"
    assert "ValueError: flavour\nof two lines" in line["exception"]
    assert line["time"].endswith("Z")


def test_secrets_are_blanked(make_log: Callable[..., Any]) -> None:
    log = make_log()
    _logger(log, "shop").info("to postgresql://shop:hush@db:5432/shop with Bearer hush.hush")
    assert log.lines()[0]["message"] == "to postgresql://shop:***@db:5432/shop with Bearer ***"


def test_a_wrong_format_does_not_end_the_request(make_log: Callable[..., Any]) -> None:
    log = make_log()
    _logger(log, "shop").info("%d items", "three")
    assert log.lines()[0]["message"].startswith("%d items (")


def test_text_cannot_be_forged(make_log: Callable[..., Any], layer: Any) -> None:
    layer.log = log = make_log(log_format="text")

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            raise ValueError("first\x1b[2J\n12:00:00 second")
        except ValueError:
            _logger(log, "shop").exception("failed")
        return plain(environ, start_response)

    layer.ask(app, "/x%0a12:00:00%20ERROR%1b[2J%c2%9b2J\u2028")
    text = log.text()
    assert "/x\\n12:00:00 ERROR\\x1b[2J\\x9b2J\\u2028 200" in text
    assert not any(line.startswith("12:00:00") for line in text.splitlines())
    assert "\x1b" not in text
    assert "  ValueError: first\\x1b[2J\n  12:00:00 second" in text


def plain(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b""]


class Unshown:
    """What fails when it is to be shown."""

    def __str__(self) -> str:
        raise RuntimeError("flavour")


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize(
    "said",
    [
        ("%(missing)s", {"n": 1}),
        ("%s", Unshown()),
        (Unshown(),),
        ("cut off: \ud800",),
        ("%s", "\ud800"),
        ("%d", "three"),
        ("%s %s", "one"),
    ],
)
def test_no_call_ends_the_request_that_made_it(
    make_log: Callable[..., Any], log_format: str, said: tuple[Any, ...]
) -> None:
    log = make_log(log_format=log_format)
    _logger(log, "shop").warning(*said)
    assert log.text().count("\n") == 1


def test_a_line_that_cannot_be_written_is_no_error(
    make_log: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    log = make_log()
    logger = _logger(log, "shop")
    log.stream.write = None  # whatever it may be
    logger.warning("careful")
    assert "Logging error" in capsys.readouterr().err


def test_text_for_people(make_log: Callable[..., Any]) -> None:
    log = make_log(log_format="text")
    _logger(log, "shop").warning("careful")
    assert log.text().rstrip().endswith("WARNING careful")


def test_opentelemetry_says_the_same_once_a_minute(make_log: Callable[..., Any]) -> None:
    log = make_log()
    for attempt in range(5):
        _logger(log, "opentelemetry.exporter.test").warning("no collector, try %s", attempt)
        _logger(log, "shop").warning("said each time")
    messages = [line["message"] for line in log.lines()]
    assert messages.count("no collector, try 0") == 1
    assert messages.count("said each time") == 5
    assert len(messages) == 6


def test_lines_of_the_app_carry_the_requests_trace(layer: Any) -> None:
    logger = _logger(layer.log, "shop")

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        logger.info("inside")
        start_response("200 OK", [])
        return [b""]

    layer.ask(app, "/")
    inside, request = layer.log.lines()
    assert inside["message"] == "inside"
    assert inside["trace_id"] == request["trace_id"]
    assert inside["span_id"] == request["span_id"]


def test_configure_takes_over_the_root() -> None:
    before, level = logging.root.handlers[:], logging.root.level
    try:
        logs.configure(make_settings())
        assert [type(handler) for handler in logging.root.handlers] == [logs.Handler]
        assert logging.root.level == logging.WARNING
    finally:
        logging.captureWarnings(False)
        logging.root.handlers[:] = before
        logging.root.setLevel(level)


def make_settings() -> Settings:
    return Settings(log_level="warning", log_format="json")


def test_a_log_that_nobody_reads_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    lines = logs.Lines(make_settings(), write)
    try:
        lines.write(0.0, "info", {"message": "unheard"})
    finally:
        os.close(write)


class Kept:
    """Takes lines in place of a descriptor."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def now(self, line: bytes) -> None:
        self.lines.append(json.loads(line))


@given(
    path=some.text(max_size=20).map("/{}".format),
    route=some.sampled_from(["", "/orders/<int:id>", '/"quoted"']),
    address=some.sampled_from(["", "127.0.0.1", "unix:é"]),
    trace_id=some.sampled_from(["", "ab" * 16]),
    seconds=some.floats(0, 100),
)
def test_a_plain_line_is_what_the_general_way_makes(
    path: str, route: str, address: str, trace_id: str, seconds: float
) -> None:
    request: Any = SimpleNamespace(
        method="GET", path=path, route=route, address=address, status=200, bytes=3, error="",
        complete=True, trace_id=trace_id, span_id=trace_id[:16],
    )  # fmt: skip
    lines = logs.Lines(Settings(log_format="json", release='r"7'))
    lines._writer = kept = Kept()  # type: ignore[assignment]
    lines.write_plain(request, seconds)
    lines.write(0.0, "info", records._fields(request, seconds))
    plain, general = kept.lines
    assert list(plain) == list(general)
    assert {**plain, "time": ""} == {**general, "time": ""}


@pytest.mark.parametrize(
    ("level", "status", "is_said"),
    [
        ("info", 200, True),
        ("warning", 200, False),
        ("warning", 500, True),
        ("critical", 500, False),
    ],
)
def test_a_level_is_for_the_lines_of_requests_too(
    layer: Any, level: str, status: int, is_said: bool
) -> None:
    layer.log.stream.level = logging.getLevelNamesMapping()[level.upper()]

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(f"{status} So", [])
        return [b""]

    layer.ask(app, "/")
    assert [line["logger"] for line in layer.log.lines()] == ["runtime.access"] * is_said
