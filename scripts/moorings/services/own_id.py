"""What a process of a container takes itself for."""

from pathlib import Path


def own_id(host: str, pid: int) -> str:
    """Return `host/pid` as a process in a container knows them; empty where it has just ended.

    https://man7.org/linux/man-pages/man5/proc_pid_status.5.html

    :param host: the name of the container's host, as it sees it.
    :param pid: the number on this host.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    found = (line.split()[-1] for line in lines if line.startswith("NSpid:"))
    return next((f"{host}/{number}" for number in found), "")
