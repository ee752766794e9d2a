"""Where everything of a deployment lies on this machine."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from moorings.settings import Settings


@dataclass(frozen=True)
class Layout:
    """The folders of one deployment, below the state folder that all deployments share."""

    root: Path
    state: Path
    name: str

    @property
    def home(self) -> Path:
        """All that belongs to this deployment alone."""
        return self.state / self.name

    @property
    def environments(self) -> Path:
        """Virtual environments, shared by releases and deployments, one per lock hash."""
        return self.state / "environments"

    @property
    def bin(self) -> Path:
        """Programs that the service user must be able to read."""
        return self.state / "bin"

    @property
    def releases(self) -> Path:
        """One folder per release: its code, pinned to its real path."""
        return self.home / "releases"

    @property
    def run(self) -> Path:
        """What lives as long as a process: sockets, metrics, readiness."""
        return self.home / "run"

    @property
    def logs(self) -> Path:
        """Log files, one per part."""
        return self.home / "logs"

    @property
    def data(self) -> Path:
        """What `down` keeps unless told otherwise: the database, stored traces."""
        return self.home / "data"

    @property
    def secrets(self) -> Path:
        """Files that only the service user reads."""
        return self.home / "secrets"


def of(settings: Settings) -> Layout:
    """Return the folders that the settings mean."""
    return Layout(settings.root, _state(settings), settings.deployment.name or _name(settings.root))


def _state(settings: Settings) -> Path:
    if settings.deployment.state:
        return Path(settings.deployment.state).expanduser().absolute()
    return Path("/var/lib/moorings") if os.geteuid() == 0 else settings.root / ".moor"


def _name(root: Path) -> str:
    """Make a name that two checkouts never share."""
    word = "".join(c if c.isalnum() else "-" for c in root.name.lower()).strip("-") or "checkout"
    return f"{word}-{hashlib.sha256(str(root).encode()).hexdigest()[:6]}"
