"""One change at a time; a dead holder blocks nobody."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from moorings.errors import LockedError
from moorings.lock import Lock

HOLD = """
import sys; from pathlib import Path; from moorings.lock import Lock
with Lock(Path(sys.argv[1])).held("deploy abc"):
    print("held", flush=True); sys.stdin.read()
"""


def test_another_process_names_the_holder_until_it_dies(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    command = [sys.executable, "-c", HOLD, str(lock.file)]
    scripts = Path(__file__).parents[4] / "scripts"
    with subprocess.Popen(
        command, stdin=-1, stdout=-1, text=True, env={"PYTHONPATH": str(scripts)}
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=rf"deploy abc, by .*process {holder.pid}"):
            lock.held("mine").__enter__()
        holder.send_signal(signal.SIGKILL)
        holder.wait(timeout=10)
    with lock.held("mine"):
        assert "mine" in lock.file.read_text()
