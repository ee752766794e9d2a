"""A master is known by pid and start: a pid that came back is not taken for it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from moorings import masters
from moorings.masters import Master, Masters
from moorings.target import Release

DEAF = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
)


@pytest.fixture
def deaf() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that does not end when it is asked to."""
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def master(pid: int) -> Master:
    return Master.of(pid, "127.0.0.1:1", Path("run"), Release("v1", "c", "s"))


def test_it_is_found_again(tmp_path: Path, deaf: "subprocess.Popen[bytes]") -> None:
    Masters(tmp_path / "m.json").put("live", master(deaf.pid))
    found = Masters(tmp_path / "m.json").get("live")
    assert found is not None
    assert found.release == Release("v1", "c", "s")


def test_another_process_of_the_same_pid_is_not_it(
    tmp_path: Path, deaf: "subprocess.Popen[bytes]"
) -> None:
    known = Masters(tmp_path / "m.json")
    known.put("live", replace(master(deaf.pid), started=1.0))
    assert known.get("live") is None


def test_one_that_ended_is_not_there(tmp_path: Path, deaf: "subprocess.Popen[bytes]") -> None:
    known = Masters(tmp_path / "m.json")
    known.put("live", master(deaf.pid))
    deaf.kill()
    deaf.wait(timeout=10)
    assert known.get("live") is None


def whole(**changed: object) -> str:
    return json.dumps({"live": {**asdict(master(1)), **changed}})


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"live": {"pid": 1}}',
        '{"live": 3}',
        whole(pid="1"),
        whole(pid=True),
        whole(pid=-1),
        whole(started=None),
        whole(version=3),
        whole(more=""),
    ],
)
def test_a_broken_file_is_said_and_started_anew(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "m.json"
    file.write_text(content)
    assert Masters(file).get("live") is None
    assert "not readable" in capsys.readouterr().err
    assert not file.exists()


def test_one_that_does_not_end_is_killed_at_the_deadline(
    deaf: "subprocess.Popen[bytes]", capsys: pytest.CaptureFixture[str]
) -> None:
    masters.stop(master(deaf.pid), grace=0.3)
    deaf.wait(timeout=10)
    assert "did not end within 0 s and was killed" in capsys.readouterr().err


def test_an_orphan_of_its_session_does_not_outlive_it() -> None:
    leader = subprocess.Popen(
        ["sh", "-c", "(sleep 60 & echo $!); exec sleep 60"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with leader:
        assert leader.stdout is not None
        orphan = psutil.Process(int(leader.stdout.readline()))
        masters.stop(master(leader.pid), grace=0.3)
        leader.wait(timeout=10)
        # An init may reap it late.
        assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
