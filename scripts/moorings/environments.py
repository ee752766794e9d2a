"""Virtual environments, one per lock hash, shared by releases and deployments."""

import hashlib
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moorings import ui
from moorings.errors import BuildError, CommandError, NeedError
from moorings.flock import waited
from moorings.runner import LocalRunner, Runner, User

#: Older ones lack parts of the standard library that the service uses.
OLDEST = (3, 11)

#: Seconds; a cold install of every package takes under one minute on two cores.
DEADLINE = 900.0


@dataclass(frozen=True)
class Environments:
    """Makes and finds environments below one folder."""

    folder: Path
    runner: Runner
    user: User | None
    python: str = ""
    """The interpreter; empty: any that the service's user may run."""

    def of(self, locked: Sequence[Path], own: Path | None = None) -> Path:
        """Return the environment with these lock files, making it where it is not there.

        :param locked: requirement files with hashes.
        :param own: the requirements of the operator's own app, installed after those.
        :raises BuildError: with pip's last lines.
        """
        place = self.folder / self.key([*locked, *([own] if own else [])])
        stamp = place / "complete"
        if self.runner.dry and not stamp.exists():
            self._make(place, locked, own)
        elif not stamp.exists():
            with self._alone(place):
                if not stamp.exists():
                    self._make(place, locked, own)
                    stamp.touch()
        return place

    @contextmanager
    def _alone(self, place: Path) -> Iterator[None]:
        """Of two deploys at once, of two checkouts say, the second waits and finds it made."""
        self.folder.mkdir(parents=True, exist_ok=True)
        what = f"another deploy, which makes the environment {place.name}"
        with waited(self.folder / f".{place.name}.lock", what, 2 * DEADLINE):
            yield

    def key(self, requirements: Sequence[Path]) -> str:
        """Return the name of an environment: what is installed, and by which Python."""
        text = b"\0".join(file.read_bytes() for file in requirements)
        version = f"{self._interpreter()} {sys.version_info[:3]}".encode()
        return hashlib.sha256(text + version).hexdigest()[:16]

    def _interpreter(self) -> str:
        return self.python or interpreter(self.user)

    def _make(self, place: Path, locked: Sequence[Path], own: Path | None) -> None:
        python = self._interpreter()
        # A run that was killed left it without its stamp.
        self.runner.remove(place)
        try:
            # Without pip: Debian's own python3 has none to copy unless python3-venv is there.
            self.runner.run([python, "-m", "venv", "--without-pip", str(place)], timeout=60)
            self._install(place, ["--require-hashes", "--no-deps", *_each("-r", locked)])
            if own:
                self._install(place, _each("-r", [own]))
        except CommandError as problem:
            self.runner.remove(place)
            raise BuildError(
                f"could not make the environment: {_reason(problem)}",
                log=_errors(problem.log),
                hint="mend the requirements, or what pip names above",
            ) from None
        except BaseException:
            self.runner.remove(place)
            raise

    def _install(self, place: Path, what: list[str]) -> None:
        pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python")]
        install = ["install", "--disable-pip-version-check", *what]
        with ui.working("Installing the packages of the service"):
            self.runner.run([*pip, *install], timeout=DEADLINE)


def _errors(log: str) -> str:
    """Leave out what pip did before its first error, its own or a compiler's that it shows."""
    first = re.search(r"^ *error: ", log, re.IGNORECASE | re.MULTILINE)
    return log[first.start() :] if first else log


def _reason(problem: CommandError) -> str:
    """Return pip's own reason: the package that is not there, or the first error.

    What comes after the first is advice: "ResolutionImpossible: for help visit ...".
    """
    mark = "ERROR: "
    said = [line.removeprefix(mark) for line in problem.log.splitlines() if line.startswith(mark)]
    missing = (line for line in said if line.startswith("No matching distribution"))
    return next(missing, said[0] if said else problem.fact)


def _each(flag: str, files: Sequence[Path]) -> list[str]:
    return [word for file in files for word in (flag, str(file))]


def interpreter(user: User | None) -> str:
    """Return a Python that the service's user may run.

    The operator's own may lie in a folder that is closed to others, as root's home is.

    :raises NeedError: if there is none.
    """
    if user is None:
        return _base()
    for python in [_base(), *_system()]:
        if _runs(user, python):
            return python
    raise NeedError(
        f"user {user.name} can run no Python {'.'.join(map(str, OLDEST))} or newer",
        hint="apt-get install python3",
    )


def _base() -> str:
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def _system() -> list[str]:
    names = ["python3.14", "python3.13", "python3.12", "python3.11", "python3"]
    paths = ["/usr/local/bin", "/usr/bin"]
    return [found for name in names if (found := shutil.which(name, path=":".join(paths)))]


def _runs(user: User, python: str) -> bool:
    code = f"import sys, venv; sys.exit(sys.version_info < {OLDEST})"
    try:
        # It only looks, so a dry run asks too.
        ran = LocalRunner().run(
            [python, "-c", code], timeout=30, user=user, quiet=True, check=False
        )
    except NeedError:
        return False
    return ran.status == 0
