"""Jaeger from its published Go module, kept in the user's cache by version."""

import os
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from moorings import probe, ui
from moorings.errors import BuildError, CommandError
from moorings.lock import taken
from moorings.logfile import tail
from moorings.runner import Runner
from moorings.services import go
from moorings.services.child import Child
from moorings.services.jaeger_source import VERSION

PACKAGE = "github.com/jaegertracing/jaeger/cmd/jaeger"
STAMP = f"github.com/jaegertracing/jaeger/internal/version.latestVersion=v{VERSION}"

#: What `go list -deps` counts; fewer are compiled where Go's own cache has some.
PACKAGES = 2326

#: Seconds; a cold build took under four minutes on two cores.
DEADLINE = 1800.0

#: The app is deployed and toured meanwhile, on the same cores.
NICE = ("nice", "-n", "10")


class Build:
    """A build of Jaeger: its recipe, and where the result is kept."""

    def __init__(self, recipe: Path, cache: Path, runner: Runner) -> None:
        """Start nothing.

        :param recipe: the folder with go.mod, go.sum and go.txt.
        """
        self.recipe = recipe
        self.cache = cache
        self.runner = runner
        self._ahead: Future[None] | None = None
        self._off = threading.Event()

    @property
    def place(self) -> Path:
        """The folder of this version."""
        return self.cache / "jaeger" / VERSION

    @property
    def program(self) -> Path:
        """Where the finished program lies."""
        return self.place / "jaeger"

    @property
    def log(self) -> Path:
        """What the newest build said; it stays."""
        return self.place / "build.log"

    def is_there(self) -> bool:
        """Tell whether it was built before."""
        return self.program.exists()

    @contextmanager
    def ahead(self) -> Iterator[None]:
        """Build in the background while a block runs; what is not done at its end is ended."""
        if self.is_there() or self._ahead is not None:
            yield
            return
        self._off.clear()
        with ThreadPoolExecutor(1) as pool:
            self._ahead = pool.submit(self._work)
            try:
                yield
            finally:
                self._off.set()
                self._ahead = None

    def make(self) -> Path:
        """Return the finished program; wait for it, or build it now, where it is not there.

        :raises BuildError: with the last lines of the build.
        """
        with self.ahead():
            if self._ahead is not None:
                with ui.working(f"Building Jaeger {VERSION}", detail=self.progress):
                    self._ahead.result()
        return self.program

    def progress(self) -> str:
        """Say how far it is: `go build -v` prints a line for each package and module."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        fetched = sum(line.startswith("go: downloading") for line in lines)
        return f"{fetched} modules fetched, {len(lines) - fetched} of {PACKAGES} packages compiled"

    def _work(self) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        with (self.place / "lock").open("w") as lock:
            self._alone(lock)
            if not self.is_there():
                self._compile(self._toolchain())

    def _alone(self, lock: TextIO) -> None:
        """Of two builds at once the second waits, and finds it made."""

        def ours() -> bool | None:
            return taken(lock) or (False if self._off.is_set() else None)

        what = f"another build of Jaeger, which holds {lock.name}"
        if not probe.until(ours, what=what, timeout=DEADLINE, every=0.5):
            raise BuildError("the build of Jaeger was called off")

    def _toolchain(self) -> str:
        own = go.on_path(self.runner)
        if own:
            return own
        requirements = self.recipe / "go.txt"
        place = self.cache / "go" / go.pinned(requirements)
        if not place.exists():
            with _replacing(place) as fresh:
                self._run(go.fetch_argv(fresh, requirements), {})
        return str(go.program(place))

    def _compile(self, toolchain: str) -> None:
        with _replacing(self.program) as fresh, _scratch(self.place / "tmp") as work:
            self._run(
                [*NICE, toolchain, "build", "-C", str(self.recipe), "-trimpath", "-v",
                 "-ldflags", f"-s -w -X {STAMP}", "-o", str(fresh), PACKAGE],
                {"GOTMPDIR": str(work)},
            )  # fmt: skip

    def _run(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self.log.unlink(missing_ok=True)
        pid = self.runner.start(argv, cwd=self.place, env={**_environ(), **env}, log=self.log)
        try:
            status = Child(pid).result(DEADLINE, self._off.is_set)
        except CommandError as problem:
            raise self._failed(problem.fact) from None
        if status != 0:
            raise self._failed(f"`{Path(argv[0]).name} …` ended with status {status}")

    def _failed(self, fact: str) -> BuildError:
        return BuildError(
            f"Jaeger could not be built: {fact}",
            log=tail(self.log, 20),
            hint=f"the whole log is {self.log}; JAEGER_BIN= or JAEGER_URL= do without a build",
        )


@contextmanager
def _replacing(place: Path) -> Iterator[Path]:
    """Lend a path beside `place` and rename at the end: a cut-off run leaves no half of it."""
    fresh = place.with_name(f"{place.name}.new")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    _remove(fresh)
    try:
        yield fresh
        fresh.replace(place)
    finally:
        _remove(fresh)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Lend an empty folder: /tmp may be small, or closed to programs."""
    _remove(folder)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _environ() -> dict[str, str]:
    """The operator's own environment: it knows how this machine reaches Go's modules."""
    # No other toolchain is fetched, and no C compiler is needed.
    return {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
