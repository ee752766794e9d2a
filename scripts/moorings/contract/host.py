"""The machine that a report was made on: enough to weigh its figures, nothing that names it."""

import os
import platform
import re
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[3]

Facts = dict[str, str | int | dict[str, str]]


def facts(target: str = "", root: Path = ROOT, cpuinfo: Path = Path("/proc/cpuinfo")) -> Facts:
    """Return cores, processor, memory, kernel, Python, and the versions of a target's server."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _processor(cpuinfo),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "servers": _pinned(root / "service" / "requirements" / f"{target}.in"),
    }


def _processor(cpuinfo: Path) -> str:
    """Return its model as the kernel names it; some architectures have none."""
    text = cpuinfo.read_text() if cpuinfo.exists() else ""
    named = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return named[1].strip() if named else platform.machine()


def _pinned(file: Path) -> dict[str, str]:
    """Return the packages that a target's own requirements name, with their versions."""
    text = file.read_text() if file.is_file() else ""
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE))
