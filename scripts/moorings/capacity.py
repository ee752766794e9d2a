"""How many workers a deployment has: as set, or as many as fit into the cgroup.

The rule is the service's own, so that it holds by hand too; it is asked as a program.
"""

import functools
import json
import subprocess
import sys
from pathlib import Path

from moorings.errors import CommandError
from moorings.settings import Settings

#: The rule, in the checkout. It needs nothing but Python.
PROGRAM = Path(__file__).parents[2] / "service" / "runtime" / "capacity.py"

_HINT = "set server.workers, or WORKERS="


def workers(settings: Settings) -> int:
    """Return the number of workers.

    :raises CommandError: where the rule could not be asked.
    """
    return settings.server.workers or _fitting(PROGRAM)[0]


def explained(settings: Settings) -> str:
    """Return the number as `moor config` shows it, with the reason where it was not set."""
    if settings.server.workers:
        return str(settings.server.workers)
    number, why = _fitting(PROGRAM)
    return f"{number} (auto: {why})"


@functools.cache
def _fitting(program: Path, timeout: float = 10.0) -> tuple[int, str]:
    """Ask in this process's cgroup, which is also that of what it starts.

    :param timeout: seconds.
    """
    argv = [sys.executable, "-I", str(program)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise CommandError(
            f"{program} did not say within {timeout:g} s how many workers fit", hint=_HINT
        ) from None
    try:
        said = json.loads(done.stdout)
        return int(said["workers"]), str(said["why"])
    except (ValueError, KeyError):
        raise CommandError(
            f"{program} does not say how many workers fit",
            log=done.stderr,
            hint=_HINT,
        ) from None
