"""One change at a time; a dead holder blocks nobody."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from moorings.errors import LockedError
from moorings.lock import Lock

SCRIPTS = Path(__file__).parents[4] / "scripts"
HOLD = """
import sys; from pathlib import Path; from moorings.lock import Lock
with Lock(Path(sys.argv[1])).held("deploy abc"):
    print("held", flush=True); sys.stdin.read()
"""


def test_another_process_names_the_holder_until_it_dies(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    command = [sys.executable, "-c", HOLD, str(lock.file)]
    with subprocess.Popen(
        command, stdin=-1, stdout=-1, text=True, env={"PYTHONPATH": str(SCRIPTS)}
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=rf"deploy abc, by .*process {holder.pid}"):
            lock.held("mine").__enter__()
        holder.send_signal(signal.SIGKILL)
        holder.wait(timeout=10)
    with lock.held("mine"):
        assert "mine" in lock.file.read_text()


@pytest.mark.parametrize("content", ["", "3", "[]", "{}"])
def test_a_holder_that_said_nothing_readable_is_a_holder(tmp_path: Path, content: str) -> None:
    lock = Lock(tmp_path / "lock")
    with lock.held("mine"):
        lock.file.write_text(content)
        with pytest.raises(LockedError, match="by a command that has just begun"):
            lock.held("another").__enter__()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which may take any number")
def test_a_user_without_a_name_holds_it_too(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    become = "import os, pwd; os.setuid(54321)\nwith"
    take = HOLD.replace("with", become).replace("sys.stdin.read()", "pass")
    ran = subprocess.run(
        [sys.executable, "-c", take, "lock"], cwd=tmp_path, text=True, capture_output=True,
        env={"PYTHONPATH": str(SCRIPTS)}, timeout=30,
    )  # fmt: skip
    assert (ran.stdout, ran.stderr) == ("held\n", "")
