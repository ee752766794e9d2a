"""The seam of the unit tests: a runner that writes down what it is asked to run."""

import os
import pty
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
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
        if folder.is_file():
            folder.unlink()
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


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Return what types a line at a terminal."""
    typing, stdin = pty.openpty()
    with open(stdin) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        yield lambda line: void(os.write(typing, f"{line}\n".encode()))
    os.close(typing)


def void(written: int) -> None:
    assert written


@pytest.fixture
def foreground() -> Iterator[None]:
    """Hear Ctrl-C as at a terminal: what runs in the background inherits SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


#: A host in an office, with a bridge of minikube's and a link to a cluster of moor's own.
LINKS = {
    "lo": ("127.0.0.1", "255.0.0.0"),
    "eth0": ("10.20.0.9", "255.255.255.0"),
    "br-9f": ("192.168.49.1", "255.255.255.0"),
    "moor-0a1b2c3d": ("10.213.0.1", "255.255.255.252"),
}


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this host have those links, and no others."""
    found = {
        name: [SimpleNamespace(family=socket.AF_INET, address=address, netmask=netmask)]
        for name, (address, netmask) in LINKS.items()
    }
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: found)
