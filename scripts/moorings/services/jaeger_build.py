"""Jaeger from its published Go module, kept in the user's cache by version."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moorings import ui
from moorings.errors import BuildError, CommandError
from moorings.runner import Runner
from moorings.services import go
from moorings.services.jaeger_source import VERSION

PACKAGE = "github.com/jaegertracing/jaeger/cmd/jaeger"
STAMP = f"github.com/jaegertracing/jaeger/internal/version.latestVersion=v{VERSION}"

#: Seconds; a cold build took under four minutes on two cores.
DEADLINE = 1800.0


@dataclass(frozen=True)
class Build:
    """A build of Jaeger: its recipe, and where the result is kept."""

    recipe: Path
    """The folder with go.mod, go.sum and go.txt."""
    cache: Path
    runner: Runner

    @property
    def program(self) -> Path:
        """Where the finished program lies."""
        return self.cache / "jaeger" / VERSION / "jaeger"

    def is_there(self) -> bool:
        """Tell whether it was built before."""
        return self.program.exists()

    def make(self) -> Path:
        """Build it, unless it is there; of two at once the second waits for the first.

        :raises BuildError: with the last lines of the build.
        """
        if self.is_there():
            return self.program
        if not self.runner.dry:
            self.program.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if not self.is_there():
                self._build()
        return self.program

    def _build(self) -> None:
        """Build beside its place and rename: a run that is cut off leaves no half of it."""
        toolchain = go.find(self.runner, self.cache / "go", self.recipe / "go.txt")
        fresh, log = self.program.with_suffix(".new"), self.program.with_suffix(".log")
        argv = [toolchain, "build", "-C", str(self.recipe), "-trimpath", "-v",
                "-ldflags", f"-s -w -X {STAMP}", "-o", str(fresh), PACKAGE]  # fmt: skip
        try:
            with ui.working(f"Building Jaeger {VERSION}", detail=lambda: _progress(log)):
                self.runner.run(argv, env=_environ(), timeout=DEADLINE, log=log)
        except CommandError as problem:
            raise BuildError(
                f"Jaeger could not be built: {problem.fact}",
                log=problem.log,
                hint=f"the whole log is {log}; JAEGER_BIN= or JAEGER_URL= do without a build",
            ) from None
        if not self.runner.dry:
            fresh.replace(self.program)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self.runner.dry:
            yield
            return
        with (self.program.parent / "lock").open("w") as file:
            with ui.working("Waiting for another build of Jaeger"):
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _environ() -> dict[str, str]:
    """The operator's own environment: it knows how this machine reaches Go's modules."""
    # No other toolchain is fetched, and no C compiler is needed.
    return {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}


def _progress(log: Path) -> str:
    """Say how far a build is: what -v prints is a line for each package."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    fetched = sum(line.startswith("go: downloading") for line in lines)
    return f"{fetched} modules fetched, {len(lines) - fetched} packages compiled"
