"""What a person does, with the command itself, on a deployment of the test's own."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Seconds; a cold build of Jaeger is the longest that one command may take.
DEADLINE = 1200


@dataclass
class Operator:
    """Someone who types `moor` in a checkout."""

    name: str
    folder: Path = ROOT
    """Where it stands; `root` is the checkout whose command it types."""
    root: Path = ROOT
    env: dict[str, str] = field(default_factory=dict)

    def types(self, *argv: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run a verb to its end."""
        return subprocess.run(
            [str(self.root / "moor"), *argv],
            cwd=self.folder,
            env=self.environ(**env),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    def makes(self, *argv: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """Run a target of the Makefile to its end."""
        return subprocess.run(
            ["make", "--no-print-directory", "--directory", str(self.root), *argv],
            env=self.environ(**env),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    def environ(self, **env: str) -> dict[str, str]:
        """Return the environment of its shell."""
        own = {"MOOR_DEPLOYMENT_NAME": self.name, "MOOR_SERVER_PORT": "0"}
        return {**os.environ, **own, **self.env, **env}

    def processes(self) -> set[int]:
        """Return every process that runs for this deployment."""
        mine = f"/{self.name}/"
        found = psutil.process_iter(["pid", "cmdline"])
        return {one.pid for one in found if mine in " ".join(one.info["cmdline"] or [])}


@pytest.fixture
def operator(request: pytest.FixtureRequest) -> Iterator[Operator]:
    """Give each test a deployment that is gone after it."""
    one = Operator(f"journey-{os.getpid()}-{abs(hash(request.node.nodeid)) % 10**6}")
    yield one
    done = one.types("down", "--volumes")
    assert done.returncode == 0, done.stderr
    assert one.processes() == set()
