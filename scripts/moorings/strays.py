"""Processes of a deployment whose state folder was taken away under them: found by themselves."""

from contextlib import suppress
from pathlib import Path

import psutil

from moorings.masters import wait_or_kill
from moorings.runner import User


def find(home: Path, user: User | None) -> list[psutil.Process]:
    """Return the supervisor and the servers of a folder, whatever its state says.

    :param user: whose processes they are; None is the operator.
    """
    return [one for one in psutil.process_iter() if _belongs(one, home, user)]


def _belongs(process: psutil.Process, home: Path, user: User | None) -> bool:
    try:
        if user is not None and {*process.uids()[:2]} != {user.uid}:
            return False
        words = process.cmdline()
        if str(home / "supervisor.py") in words:
            return True
        # Each run of a server is told where its folder is.
        words.append(process.environ().get("READY_DIR", ""))
        return any(f"{home}/run/" in word for word in words)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def stop(found: list[psutil.Process], grace: float) -> None:
    """Let them drain, servers and supervisor alike; end what is left after `grace` seconds."""
    pids = {one.pid for one in found}
    tops = [one for one in found if _parent(one) not in pids]
    for one in tops:
        with suppress(psutil.NoSuchProcess):
            one.terminate()
    for one in tops:
        wait_or_kill(one, grace)


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return 0
