"""A program's stderr as lines of the service, with real processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

SERVICE = Path(__file__).resolve().parents[4] / "service"
SPEAKER = (
    "import os, sys;"
    "os.write(1, b'{\"pid\": %d}\\n' % os.getpid());"
    "print('*** \"loud\" ***\\n\\n  second', file=sys.stderr, flush=True);"
    "sys.exit(22)"
)


def run(log_format: str, **more: str) -> subprocess.CompletedProcess[str]:
    # The pipe ends with the last writer: the process between is waited for too.
    return subprocess.run(
        [sys.executable, "-m", "runtime.messages", sys.executable, "-c", SPEAKER],
        env={
            **os.environ,
            "PYTHONPATH": str(SERVICE),
            "LOG_FORMAT": log_format,
            "RELEASE": "v1",
            **more,
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_messages_become_lines_and_lines_stay_what_they_are() -> None:
    ran = run("json")
    assert ran.stderr == ""
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    messages = [line for line in lines if "message" in line]
    assert len(lines) == len(messages) + 1
    assert [line["message"] for line in messages] == ['*** "loud" ***', "second"]
    for line in messages:
        assert line["release"] == "v1"
        assert line["level"] == "info"
        assert line["logger"] == Path(sys.executable).name


def test_the_program_is_the_process_that_was_started_and_its_status_shows() -> None:
    started = subprocess.Popen(
        [sys.executable, "-m", "runtime.messages", sys.executable, "-c", SPEAKER],
        env={**os.environ, "PYTHONPATH": str(SERVICE), "LOG_FORMAT": "json"},
        stdout=subprocess.PIPE,
        text=True,
    )
    said, _ = started.communicate(timeout=30)
    assert started.returncode == 22
    assert f'{{"pid": {started.pid}}}' in said.splitlines()


def test_text_stays_on_stderr() -> None:
    ran = run("text")
    assert ran.stderr == '*** "loud" ***\n\n  second\n'


def test_a_server_begins_with_empty_sums(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    # The numbers of processes begin anew in a container that is started again.
    (folder / "counter_7.db").touch()
    run("text", METRICS_DIR=str(folder))
    assert list(folder.iterdir()) == []
