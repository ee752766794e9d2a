"""Where Jaeger comes from: the first way that is open, and why, in one line."""

import pytest

from moorings.errors import SettingsError
from moorings.services.jaeger_source import (
    Kind,
    Machine,
    choose,
    otlp,
    otlp_grpc,
    query,
    why_no_trace,
)
from moorings.settings import Jaeger as Settings

PROGRAMS = {"jaeger": "/usr/bin/jaeger", "/opt/jaeger": "/opt/jaeger"}


def machine(*has: str) -> Machine:
    return Machine(
        program=lambda name: PROGRAMS.get(name, "") if "program" in has else "",
        has_image=lambda image: "image" in has,
        is_built=lambda: "built" in has,
    )


EVERYTHING = machine("program", "image", "built")
COLLECTOR = "http://collector:4318"
RUNNING = "http://jaeger:16686"


@pytest.mark.parametrize(
    ("settings", "here", "kind", "what", "says"),
    [
        (Settings(endpoint=COLLECTOR), EVERYTHING, Kind.ENDPOINT, "", "set JAEGER_URL"),
        (Settings(endpoint=COLLECTOR, url=RUNNING), EVERYTHING, Kind.ENDPOINT, "", RUNNING),
        (Settings(url=RUNNING), EVERYTHING, Kind.URL, "", "takes them at http://jaeger:4318"),
        (Settings(binary="/opt/jaeger"), EVERYTHING, Kind.BINARY, "/opt/jaeger", "JAEGER_BIN"),
        (Settings(), EVERYTHING, Kind.BINARY, "/usr/bin/jaeger", "found on PATH"),
        (Settings(image="a:1"), machine("image", "built"), Kind.IMAGE, "a:1", "container of a:1"),
        (Settings(), machine("built"), Kind.BUILD, "", "earlier"),
        (Settings(), machine(), Kind.BUILD, "", "now (once, about 4 minutes)"),
    ],
)
def test_the_first_way_that_is_open_is_taken(
    settings: Settings, here: Machine, kind: Kind, what: str, says: str
) -> None:
    source = choose(settings, here)
    assert (source.kind, source.what) == (kind, what)
    assert says in source.sentence
    assert "\n" not in source.sentence


def test_a_machine_is_not_asked_for_what_does_not_matter() -> None:
    def asked(_name: str) -> bool:
        raise AssertionError("a pull may take minutes")

    here = Machine(program=PROGRAMS.get, has_image=asked, is_built=lambda: False)  # type: ignore[arg-type]
    assert choose(Settings(), here).kind is Kind.BINARY
    assert choose(Settings(url=RUNNING), here).kind is Kind.URL


def test_a_program_that_was_named_and_is_not_there_is_an_error_not_a_build() -> None:
    with pytest.raises(SettingsError, match=r"jaeger\.binary: /no/jaeger is no program"):
        choose(Settings(binary="/no/jaeger"), EVERYTHING)


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        (Settings(url="http://jaeger:16686/"), "http://jaeger:4318"),
        (Settings(url="http://[::1]:16686", otlp_http_port=5000), "http://[::1]:5000"),
        (Settings(url=RUNNING, endpoint="http://other:1/"), "http://other:1"),
    ],
)
def test_spans_go_to_the_same_host_unless_said_otherwise(settings: Settings, address: str) -> None:
    assert otlp(settings) == address


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        (Settings(url="http://jaeger:16686/"), "http://jaeger:4317"),
        (Settings(url="http://[::1]:16686", otlp_grpc_port=5000), "http://[::1]:5000"),
        (Settings(url=RUNNING, endpoint="http://other:1/"), ""),
        (Settings(endpoint="http://other:1/"), ""),
    ],
)
def test_by_grpc_too_unless_an_endpoint_is_named(settings: Settings, address: str) -> None:
    assert otlp_grpc(settings) == address


@pytest.mark.parametrize(
    "url", ["localhost:16686", "http://", "http://a:b", "ftp://a", "http://a:0"]
)
def test_an_address_that_is_none_is_named_with_its_key(url: str) -> None:
    with pytest.raises(
        SettingsError, match=r"jaeger\.url: should be an address as http://host:port"
    ):
        query(Settings(url=url))


def test_why_no_trace_is_shown_names_the_collector_and_the_way_out() -> None:
    said = why_no_trace(Settings(endpoint=COLLECTOR))
    assert COLLECTOR in said
    assert "JAEGER_URL=" in said
