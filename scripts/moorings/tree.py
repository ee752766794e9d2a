"""What a folder of source holds, and the version that this makes.

A version is the commit, plus a hash of the content where the tree is dirty or there is no
git: the same tree is the same version.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from moorings.errors import BuildError

#: Never part of a release, where no git says what is.
IGNORED = {".git", ".hg", ".venv", "venv", ".env", ".moor", "node_modules", "__pycache__"}


@dataclass(frozen=True)
class Version:
    """The name of a tree's content; `commit` is empty where there is no git."""

    name: str
    commit: str


def version(folder: Path, parts: Sequence[str] = (".",)) -> Version:
    """Return the version of some parts of a folder."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD").strip()
    # Below the top of a repository the commit says too little: two apps may share it.
    whole = not _git(folder, "rev-parse", "--show-prefix").strip()
    if commit and whole and not _git(folder, "status", "--porcelain", "--", *parts).strip():
        return Version(commit[:12], commit)
    content = digest(folder, parts)[:8]
    return Version(f"{commit[:12]}-{content}" if commit else content, commit)


def time(folder: Path, commit: str) -> str:
    """Return when a commit was made, in seconds since 1970; empty where no git knows it."""
    return _git(folder, "show", "--no-patch", "--format=%ct", commit).strip() if commit else ""


def digest(folder: Path, parts: Sequence[str] = (".",)) -> str:
    """Hash the paths, modes and bytes of every file."""
    total = hashlib.sha256()
    for path in files(folder, parts):
        executable = os.access(folder / path, os.X_OK)
        content = hashlib.sha256((folder / path).read_bytes()).hexdigest()
        total.update(f"{path}\0{executable}\0{content}\n".encode())
    return total.hexdigest()


def files(folder: Path, parts: Sequence[str] = (".",)) -> list[Path]:
    """Return the files of some parts, relative and sorted; what git ignores is left out.

    :raises BuildError: if there is none.
    """
    listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard", *parts)
    named = [Path(name) for name in listed.split("\0") if name] or list(_walk(folder, parts))
    found = sorted(path for path in set(named) if (folder / path).is_file())
    if not found:
        raise BuildError(f"{folder} holds no files", hint="name the folder of the app's source")
    return found


def copy(folder: Path, parts: Sequence[str], into: Path) -> None:
    """Copy the files of some parts, with their modes."""
    for path in files(folder, parts):
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / path, into / path)
        # Others read it: the service's user is not the one who cloned.
        (into / path).chmod((folder / path).stat().st_mode & 0o755 | 0o444)


def _walk(folder: Path, parts: Sequence[str]) -> Iterator[Path]:
    for part in parts:
        for place, folders, names in os.walk(folder / part):
            folders[:] = [name for name in folders if name not in IGNORED]
            yield from (Path(place, name).relative_to(folder) for name in names)


def _git(folder: Path, *argv: str) -> str:
    """Ask git; nothing where there is no git, no repository or no commit."""
    # Root may deploy a checkout of another user: it is only read, so its owner does not matter.
    command = ["git", "-c", "safe.directory=*", "-C", str(folder), *argv]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""
