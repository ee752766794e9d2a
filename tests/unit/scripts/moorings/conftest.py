"""The seam of the unit tests: a runner that writes down what it is asked to run."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from moorings.runner import Command, Result, User


class RecordingRunner:
    """Runs nothing; each command is kept, and answered as `answers` says."""

    dry = False

    def __init__(self) -> None:
        self.ran: list[Command] = []
        self.answers: dict[str, Result] = {}

    @property
    def argvs(self) -> list[list[str]]:
        return [list(command.argv) for command in self.ran]

    def remove(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        user: User | None = None,
        quiet: bool = False,
        check: bool = True,
        log: Path | None = None,
    ) -> Result:
        self._keep(argv, cwd, env, user)
        return self.answers.get(Path(argv[0]).name, Result(0))

    def start(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        log: Path,
        user: User | None = None,
        fds: tuple[int, ...] = (),
    ) -> int:
        self._keep(argv, cwd, env, user)
        return 0

    def _keep(
        self,
        argv: Sequence[str],
        cwd: Path | None,
        env: Mapping[str, str] | None,
        user: User | None,
    ) -> None:
        name = user.name if user is not None else ""
        self.ran.append(Command(tuple(argv), cwd, dict(env or {}), name))


@pytest.fixture
def runner() -> RecordingRunner:
    return RecordingRunner()
