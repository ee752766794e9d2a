"""Programs from published Go modules, each kept in the user's cache by version."""

import hashlib
import os
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moorings import probe, ui
from moorings.errors import BuildError, CommandError
from moorings.flock import taken
from moorings.logfile import tail
from moorings.runner import Runner
from moorings.services import go
from moorings.services.child import Child

#: Seconds; the longest cold build, of Kubernetes, took eight minutes on two cores.
DEADLINE = 3600.0

#: No debugging information, which the linker drops anyway: an eighth of the compiler's time.
LEAN = ("-gcflags=all=-dwarf=false",)

#: The app is deployed and toured meanwhile, on the same cores.
NICE = ("nice", "-n", "10")


@dataclass(frozen=True)
class Recipe:
    """What is built, and from what."""

    title: str
    """As a person calls it."""
    version: str
    package: str
    """The Go package of the program."""
    folder: Path
    """It has go.mod and go.sum, and the package where the program is put together here."""
    toolchain: Path
    """The lock file that names a toolchain for a machine without Go."""
    packages: int
    """What `go list -deps` counts; fewer are compiled where Go's own cache has some."""
    stamp: str = ""
    """The variable that tells the program its version, and the version."""
    instead: str = ""
    """What does without a build."""

    @property
    def edition(self) -> str:
        """What tells two builds apart: the version, and what is put together here."""
        own = self.folder / self.package / "main.go"
        if not own.exists():
            return self.version
        return f"{self.version}-{hashlib.sha256(own.read_bytes()).hexdigest()[:8]}"


class Build:
    """A build: its recipe, and where the result is kept."""

    def __init__(self, recipe: Recipe, name: str, cache: Path, runner: Runner) -> None:
        """Start nothing.

        :param name: of the program, and of its folder in the cache.
        """
        self.recipe = recipe
        self.name = name
        self.cache = cache
        self.runner = runner
        self._ahead: Future[None] | None = None
        self._off = threading.Event()

    @property
    def title(self) -> str:
        """What it is called while it is built."""
        return f"{self.recipe.title} {self.recipe.version}"

    @property
    def place(self) -> Path:
        """The folder of this version."""
        return self.cache / self.name / self.recipe.edition

    @property
    def program(self) -> Path:
        """Where the finished program lies."""
        return self.place / self.name

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
                with ui.working(f"Building {self.title}", detail=self.progress):
                    self._ahead.result()
        return self.program

    def progress(self) -> str:
        """Say how far it is: `go build -v` prints a line for each package and module."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        total = self.recipe.packages
        fetched = sum(line.startswith("go: downloading") for line in lines)
        return f"{fetched} modules fetched, {len(lines) - fetched} of {total} packages compiled"

    def _work(self) -> None:
        with self._alone(self.place / "lock"):
            if not self.is_there():
                self._compile(self._toolchain())

    @contextmanager
    def _alone(self, file: Path) -> Iterator[None]:
        """Of two builds at once the second waits, and finds it made."""
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w") as lock:

            def ours() -> bool | None:
                return taken(lock) or (False if self._off.is_set() else None)

            what = f"another build, which holds {lock.name}"
            if not probe.until(ours, what=what, timeout=DEADLINE, every=0.5):
                raise BuildError(f"the build of {self.title} was called off")
            yield

    def _toolchain(self) -> str:
        own = go.on_path(self.runner, go.asked(self.recipe.folder))
        if own:
            return own
        requirements = self.recipe.toolchain
        place = self.cache / "go" / go.pinned(requirements)
        # Builds of several programs share it.
        with self._alone(place.with_name(f"{place.name}.lock")):
            if not place.exists():
                with replacing(place) as fresh:
                    self._run(go.fetch_argv(fresh, requirements), {})
        return str(go.program(place))

    def _compile(self, toolchain: str) -> None:
        flags = f"-s -w -X {self.recipe.stamp}" if self.recipe.stamp else "-s -w"
        with replacing(self.program) as fresh, _scratch(self.place / "tmp") as work:
            self._run(
                [*NICE, toolchain, "build", "-C", str(self.recipe.folder), "-trimpath", "-v",
                 *LEAN, "-ldflags", flags, "-o", str(fresh), self.recipe.package],
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
            f"{self.title} could not be built: {fact}",
            log=tail(self.log, 20),
            hint="; ".join(filter(None, (f"the whole log is {self.log}", self.recipe.instead))),
        )


@contextmanager
def replacing(place: Path) -> Iterator[Path]:
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
