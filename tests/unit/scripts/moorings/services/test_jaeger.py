"""One Jaeger per deployment, whatever happens to its process or its file: with a real process."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from moorings.errors import NotReadyError, SettingsError
from moorings.layout import Layout
from moorings.runner import DryRunner, LocalRunner
from moorings.services import jaeger
from moorings.services.jaeger import Jaeger
from moorings.services.jaeger_source import Kind
from moorings.settings import Jaeger as Settings

ROOT = Path(__file__).resolve().parents[5]

#: Answers as Jaeger does, at the ports that jaeger.yaml reads from the same variables.
STAND_IN = f"""#!{sys.executable}
import http.server, os, threading

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = PAGES.get(self.path, "").encode()
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write(body)

PAGES = {{"/status": "ok", "/api/services": '{{"data": []}}', "/": os.environ["JAEGER_STORAGE"]}}

def serve(port):
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Answer).serve_forever()

print("listening on", os.environ["JAEGER_LISTEN"], flush=True)
threading.Thread(target=serve, args=[os.environ["JAEGER_HEALTH_PORT"]], daemon=True).start()
serve(os.environ["JAEGER_QUERY_PORT"])
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "jaeger program"
    file.write_text(STAND_IN)
    file.chmod(0o755)
    return file


@pytest.fixture
def one(tmp_path: Path, program: Path) -> Iterator[Jaeger]:
    made = opened(tmp_path, program)
    yield made
    made.stop()


def opened(tmp_path: Path, program: Path, **settings: object) -> Jaeger:
    place = Layout(ROOT, tmp_path / "state folder", "shop")
    given = Settings(binary=str(program), **settings)  # type: ignore[arg-type]
    # pytest's folders are closed to others, so it runs as whoever runs the test.
    return Jaeger(given, LocalRunner(), place, None)


def pid(one: Jaeger) -> int:
    state = one.file.read()
    assert state is not None
    return state.pid


def test_its_addresses_are_known_before_it_is_started(one: Jaeger) -> None:
    assert (one.otlp_endpoint, one.query_url) == ("", "")
    one.plan()
    addresses = (one.otlp_endpoint, one.query_url)
    assert all(address.startswith("http://127.0.0.1:") for address in addresses)
    assert one.grpc_endpoint == f"http://127.0.0.1:{one.ports['otlp_grpc']}"
    one.start()
    assert (one.otlp_endpoint, one.query_url) == addresses
    assert "does not run" not in one.describe()


def test_a_second_start_finds_the_first(tmp_path: Path, one: Jaeger, program: Path) -> None:
    one.start()
    again = opened(tmp_path, program)
    again.plan()
    again.start()
    assert pid(again) == pid(one)
    assert again.source.sentence == "to the Jaeger that runs already"


def test_another_storage_does_not_replace_one_that_runs_and_says_so(
    tmp_path: Path, one: Jaeger, program: Path
) -> None:
    one.start()
    assert "for badger: make down" in opened(tmp_path, program, storage="badger").source.sentence


def test_one_that_was_killed_is_started_anew_on_its_ports(
    tmp_path: Path, one: Jaeger, program: Path
) -> None:
    one.start()
    killed, address = pid(one), one.query_url
    os.kill(killed, signal.SIGKILL)
    psutil.Process(killed).wait(5)
    again = opened(tmp_path, program)
    assert again.describe() == "does not run"
    again.start()
    assert pid(again) != killed
    assert again.query_url == address


def test_a_broken_file_leads_to_no_second_one(
    tmp_path: Path, one: Jaeger, program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one.start()
    lost = psutil.Process(pid(one))
    one.file.file.write_text("{")
    again = opened(tmp_path, program)
    again.start()
    assert not lost.is_running()
    assert "nothing in it is trusted" in capsys.readouterr().err


def test_stop_ends_it_and_keeps_what_badger_stored(one: Jaeger) -> None:
    one.start()
    running = psutil.Process(pid(one))
    stored = one.folders.data / "keys"
    stored.touch()
    one.stop()
    assert not running.is_running()
    assert stored.exists()
    assert {path.name for path in one.layout.home.iterdir()} == {"logs", "data"}
    one.stop(volumes=True)
    assert not stored.exists()


def test_one_that_ends_at_once_shows_why_and_leaves_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho cannot bind; exit 1\n")
    broken.chmod(0o755)
    made = opened(tmp_path, broken)
    with pytest.raises(NotReadyError, match="ended while it started") as caught:
        made.start()
    assert "cannot bind" in caught.value.log
    assert made.query_url == ""


def test_a_program_that_is_not_there_is_named_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is no program that can be run"):
        opened(tmp_path, tmp_path / "no").plan()


def test_a_dry_run_starts_nothing(tmp_path: Path, program: Path) -> None:
    place = Layout(ROOT, tmp_path / "state", "shop")
    made = Jaeger(Settings(binary=str(program)), DryRunner(), place, None)
    made.plan()
    with made.building():
        made.start()
    made.stop()
    assert not place.state.exists()


def test_where_there_are_no_pages_there_is_no_link(one: Jaeger) -> None:
    one.start()
    assert one.ui_link("0" * 32) == ""


def test_a_page_that_loads_the_script_of_the_ui_is_linked(tmp_path: Path, program: Path) -> None:
    program.write_text(
        STAND_IN.replace('os.environ["JAEGER_STORAGE"]', "'<script src=\"./static/a.js\">'")
    )
    made = opened(tmp_path, program)
    made.start()
    assert made.ui_link("1" * 32) == f"{made.query_url}/trace/{'1' * 32}"
    made.stop()


def test_a_collector_that_is_there_is_used_as_it_is(tmp_path: Path) -> None:
    place = Layout(ROOT, tmp_path / "state", "shop")
    made = Jaeger(Settings(endpoint="http://collector:4318"), LocalRunner(), place, None)
    made.plan()
    made.start()
    assert made.source.kind is Kind.ENDPOINT
    assert (made.otlp_endpoint, made.query_url) == ("http://collector:4318", "")
    assert not place.state.exists()


def test_the_program_is_copied_to_where_the_service_may_read_it(
    tmp_path: Path, program: Path
) -> None:
    to = tmp_path / "bin" / "jaeger"
    assert jaeger._copied(program, to).read_text() == STAND_IN
    before = to.stat().st_ino
    assert jaeger._copied(program, to).stat().st_ino == before
    program.write_text("other")
    os.utime(program, (1, 1))
    assert jaeger._copied(program, to).read_text() == "other"


def test_its_configuration_can_be_read_whatever_the_umask_is(one: Jaeger) -> None:
    before = os.umask(0o077)
    try:
        one.folders.make()
    finally:
        os.umask(before)
    file = one.folders.configuration / "jaeger.yaml"
    assert file.stat().st_mode & 0o777 == 0o644
