"""The seam of the unit tests: a runner that writes down what it is asked to run."""

import shutil
from pathlib import Path

import pytest

from moorings.runner import Command, Result, Runner


class RecordingRunner(Runner):
    """Runs nothing; each command is kept, and answered as `answers` says."""

    def __init__(self) -> None:
        self.ran: list[Command] = []
        self.answers: dict[str, Result] = {}

    @property
    def argvs(self) -> list[list[str]]:
        return [list(command.argv) for command in self.ran]

    def remove(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        return self.answers.get(Path(command.argv[0]).name, Result(0))

    def launch(self, command: Command) -> int:
        self.ran.append(command)
        return 0


@pytest.fixture
def runner() -> RecordingRunner:
    return RecordingRunner()
