"""Commands: echoed, with a deadline, and nothing of them left behind."""

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from moorings import probe
from moorings.errors import CommandError, NeedError
from moorings.runner import DryRunner, LocalRunner


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_it_echoes_what_can_be_repeated_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    assert LocalRunner().run(["echo", "a b"], timeout=5).output == "a b\n"
    assert "$ echo 'a b'" in capsys.readouterr().out


def test_a_status_and_a_signal_are_failures() -> None:
    with pytest.raises(CommandError, match="status 7"):
        LocalRunner().run(python("raise SystemExit(7)"), timeout=5)
    with pytest.raises(CommandError, match="signal SIGKILL"):
        LocalRunner().run(python("import os; os.kill(os.getpid(), 9)"), timeout=5)


def test_the_error_holds_the_last_lines() -> None:
    with pytest.raises(CommandError) as caught:
        LocalRunner().run(python("print('why'); raise SystemExit(1)"), timeout=5)
    assert caught.value.log == "why"


def test_a_file_is_removed_as_a_folder_is(tmp_path: Path) -> None:
    for place in (tmp_path / "file", tmp_path / "folder" / "file"):
        place.parent.mkdir(exist_ok=True)
        place.touch()
    DryRunner().remove(tmp_path / "file")
    assert (tmp_path / "file").exists()
    for name in ("file", "folder", "not there"):
        LocalRunner().remove(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


BOTH = "import sys; print('{}'); print('WARNING: x', file=sys.stderr); raise SystemExit({})"


def test_an_answer_for_a_program_has_no_warning_in_it() -> None:
    said = LocalRunner().run(python(BOTH.format("{}", 0)), timeout=5, apart=True)
    assert (said.output, said.errors) == ("{}\n", "WARNING: x\n")
    with pytest.raises(CommandError) as caught:
        LocalRunner().run(python(BOTH.format("{}", 1)), timeout=5, apart=True)
    assert caught.value.log == "{}\nWARNING: x"


def test_a_program_that_is_not_there_is_a_need() -> None:
    with pytest.raises(NeedError, match="no-such-program"):
        LocalRunner().run(["no-such-program"], timeout=5)


def test_the_deadline_ends_the_command_and_its_children(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    child = f"import time, os; open({str(file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with pytest.raises(CommandError, match="did not end within 2 s"):
        LocalRunner().run(python(code), timeout=2)
    pid = int(file.read_text())
    probe.until(lambda: True if _gone(pid) else None, what="the child to end", timeout=5)


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_started_one_goes_on_in_a_session_of_its_own(tmp_path: Path) -> None:
    runner = LocalRunner()
    log = tmp_path / "log"
    pid = runner.start(python("print('hello', flush=True)"), cwd=tmp_path, env={}, log=log)
    assert os.getsid(pid) == pid
    psutil.Process(pid).wait(timeout=10)
    assert log.read_text() == "hello\n"


def test_a_dry_run_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    assert DryRunner().run(["sleep", "60"], timeout=1).status == 0
    assert DryRunner().start(["sleep", "60"], cwd=tmp_path, env={}, log=tmp_path / "log") == 0
    assert time.monotonic() - began < 5
    assert capsys.readouterr().out.count("$ sleep 60") == 2
