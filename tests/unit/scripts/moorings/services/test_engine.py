"""What is said of an engine that cannot be used, and where its plug-ins come from."""

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import psutil
import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.layout import Layout
from moorings.runner import Command, Result
from moorings.services import engine


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ("20.10.24+dfsg1", True),
        ("28.2.2", True),
        ("19.03.8", False),
        ("20.9.1", False),
        ("", False),
    ],
)
def test_an_engine_is_judged_by_its_version(version: str, good: bool) -> None:
    assert engine.judged(version).there is good


@pytest.mark.parametrize(
    ("said", "fact"),
    [
        ("Docker Compose version v2.26.1-4", ""),
        ("Docker Compose version 2.24.0", ""),
        ("Docker Compose version v2.3.3", "the plug-in compose of docker 2.3.3 is older than 2.24"),
    ],
)
def test_a_plug_in_is_judged_by_its_version(said: str, fact: str) -> None:
    need = engine.judged(said, "the plug-in compose of docker", engine.LEAST["compose"])
    assert need.there is (not fact)
    assert not fact or need.what == fact


@pytest.mark.parametrize(
    ("said", "fact", "step"),
    [
        (
            "permission denied while trying to connect to the Docker daemon socket at unix:///x",
            "may not use the socket",
            "group docker",
        ),
        ("Cannot connect to the Docker daemon at unix:///x.", "no Docker engine", "docker up"),
        ("docker is not installed", "not installed", "docker up"),
        ("docker did not end within 15 s", "does not answer", "log"),
    ],
)
def test_it_says_why_none_answers(said: str, fact: str, step: str) -> None:
    what, there, how = engine.refused(said)
    assert fact in what
    assert not there
    assert step in how


def test_an_engine_that_the_operator_names_is_not_replaced_by_one_of_moors() -> None:
    said = "Cannot connect to the Docker daemon at tcp://10.0.0.9:2375."
    what, there, how = engine.refused(said, "tcp://10.0.0.9:2375")
    assert (there, what) == (False, "no Docker engine answers at DOCKER_HOST=tcp://10.0.0.9:2375")
    assert "docker up" not in how


def test_the_next_suite_is_taken_from_the_same_places_without_security_and_updates() -> None:
    listed = "http://a.test/debian bookworm\nhttp://a.test/debian bookworm-updates\n" * 2
    assert engine.widened(listed, "bookworm").splitlines() == [
        "deb http://a.test/debian bookworm main",
        "deb http://a.test/debian bookworm-updates main",
        "deb http://a.test/debian trixie main",
    ]


def test_nothing_but_the_plug_ins_comes_from_the_next_suite() -> None:
    first, second = engine.pinned("trixie").split("\n\n")
    assert "Package: *" in first
    assert "-1" in first
    assert "Package: docker-compose docker-buildx" in second


def test_all_of_an_own_engine_is_below_one_folder(tmp_path: Path) -> None:
    assert all(str(tmp_path) in word for word in engine.daemon(tmp_path)[2::2])
    assert [item.undo[0] for item in engine.undoing(tmp_path)] == ["start-stop-daemon", "rm"]


def started(program: Path, pidfile: Path) -> "subprocess.Popen[bytes]":
    """Start something that runs for a minute under this name, and write its number down."""
    process = subprocess.Popen([program, "60"])
    pidfile.write_text(str(process.pid))
    return process


@pytest.fixture
def sleep(tmp_path: Path) -> Path:
    return Path(shutil.copy(shutil.which("sleep") or "", tmp_path))


def test_an_engine_that_this_process_started_is_no_zombie_after_its_end(sleep: Path) -> None:
    pidfile = sleep.with_name("pid")
    process = started(sleep.rename(sleep.with_name("dockerd")), pidfile)
    engine._stop(pidfile)
    assert not psutil.pid_exists(process.pid)
    process.wait()


def test_whoever_has_the_number_of_an_engine_that_went_is_left_alone(sleep: Path) -> None:
    process = started(sleep, sleep.with_name("pid"))
    engine._stop(sleep.with_name("pid"))
    assert process.poll() is None
    process.kill()
    process.wait()


HERE = {"127.0.0.1", "192.0.2.2", "172.17.0.1"}


@pytest.mark.parametrize(
    ("options", "gateways", "host", "why"),
    [
        ("[name=seccomp]", ["172.17.0.1"], "", ""),
        ("[name=seccomp]", ["172.17.0.1"], "tcp://127.0.0.1:2375", ""),
        ("[name=seccomp]", [], "unix:///run/docker.sock", ""),
        ("[name=seccomp name=rootless]", ["172.17.0.1"], "", "rootless"),
        ("[name=seccomp]", ["192.168.65.1"], "", "virtual machine"),
        ("[name=seccomp]", ["172.17.0.1"], "ssh://me@10.0.0.9", "at ssh://me@10.0.0.9"),
    ],
)
def test_containers_of_the_engine_must_be_reached_from_here(
    options: str, gateways: list[str], host: str, why: str
) -> None:
    need = engine.reached(options, gateways, HERE, host)
    assert need.there is (not why)
    assert why in need.what


def test_who_may_not_use_the_socket_is_told_what_a_rootless_engine_serves() -> None:
    how = engine.refused("permission denied")[2]
    assert how.startswith("join the group docker")
    assert "a rootless engine of your own serves Compose by hand" in how


class Elsewhere(RecordingRunner):
    """A client whose context is of another host, with the same bridge as here."""

    def finish(self, command: Command) -> Result:
        said = {"context": "ssh://me@10.0.0.9\n", "network": "127.0.0.1\n"}
        return Result(0, said.get(command.argv[1], ""))


def test_an_engine_of_another_host_is_known_by_the_context_of_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    need = engine.Engine(Elsewhere(), Layout(tmp_path, tmp_path, "x"), {}).near()
    assert not need.there
    assert need.what.endswith("it is at ssh://me@10.0.0.9")


def test_the_socket_that_an_engine_has_left_hides_no_other() -> None:
    # The path of a socket is short.
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as listening:
        found = engine.Engine(RecordingRunner(), Layout(Path(name), Path(name), "x"), {})
        found.socket.parent.mkdir(parents=True)
        listening.bind(str(found.socket))
        listening.listen()
        assert found.environment == {"DOCKER_HOST": f"unix://{found.socket}"}
        listening.close()
        assert found.socket.exists()
        assert found.environment == {}
        assert engine.put_away(found) == ""
        assert not engine.restartable(found)
