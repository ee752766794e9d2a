"""One family of errors. `cli.main` is the only place that catches it.

An error that is not a `MoorError` is a bug in moorings, and shows its traceback.
"""

import errno
from typing import ClassVar


class MoorError(Exception):
    """Something the operator can act on: the fact, then the next step."""

    exit_code: ClassVar[int] = 1

    def __init__(self, fact: str, *, hint: str = "", log: str = "") -> None:
        """Keep what to show.

        :param fact: what is wrong, and the state that was found, in one line.
        :param hint: the next step, in one line.
        :param log: the newest log lines of the part that failed, shown above the fact.
        """
        super().__init__(fact)
        self.fact = fact
        self.hint = hint
        self.log = log


class UsageError(MoorError):
    """A command, a name or a setting that moor does not know."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting with a wrong name or value; the fact starts with its key."""


class NeedError(MoorError):
    """A tool, package or right that the machine lacks."""


class CommandError(MoorError):
    """A command that moor ran ended with a status other than 0."""


class NotReadyError(MoorError):
    """Something did not answer as it should before its deadline."""


class LockedError(MoorError):
    """Another deploy holds the lock of this deployment."""


class BuildError(MoorError):
    """A release, an environment or a binary could not be made."""


_NEXT = {
    errno.ENOSPC: "free some space on that disk, then try again",
    errno.EDQUOT: "free some space on that disk, then try again",
    errno.EMFILE: "raise the limit of open files: ulimit -n",
}


def of_system(problem: OSError) -> MoorError:
    """Return what the system refused, and on which path, as an error of ours."""
    paths = [str(path) for path in (problem.filename, problem.filename2) if path is not None]
    fact = ": ".join([" -> ".join(paths), problem.strerror or str(problem)] if paths else [])
    where = "give this user the right to it, or set another folder: MOOR_DEPLOYMENT_STATE="
    return MoorError(
        fact or str(problem), hint=_NEXT.get(problem.errno or 0, where if paths else "")
    )
