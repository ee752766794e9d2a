"""Where everything of a deployment lies on this machine."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from moorings.errors import SettingsError
from moorings.settings import Settings

#: Folders beside those of the deployments, which belong to all of them.
SHARED = ("bin", "clusters", "environments", "engine")

#: Characters of a name that moor makes; the contract's own deployments add to it.
LONGEST = 40


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
    def engine(self) -> Path:
        """A Docker engine that moor itself has started, and all that it keeps."""
        return self.state / "engine"

    @property
    def clusters(self) -> Path:
        """Clusters to be thrown away that moor itself has started, a folder for each."""
        return self.state / "clusters"

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
    """Return the folders that the settings mean.

    :raises SettingsError: for a name that could mean a folder that is not its own.
    """
    given = settings.deployment.name
    name = _checked(given) if given else _name(settings.root)
    return Layout(settings.root, _state(settings), name)


def _checked(name: str) -> str:
    if name in SHARED or not re.fullmatch("[a-z0-9][a-z0-9-]{0,62}", name):
        form = f"1 to 63 of a-z, 0-9 and -, and neither {' nor '.join(SHARED)}"
        raise SettingsError(
            f"deployment.name: should be {form}, not {name!r}",
            hint="choose another, or none: moor makes one from the path of the checkout",
        )
    return name


def _state(settings: Settings) -> Path:
    if settings.deployment.state:
        return Path(settings.deployment.state).expanduser().absolute()
    return Path("/var/lib/moorings") if os.geteuid() == 0 else settings.root / ".moor"


def _name(root: Path) -> str:
    """Make a name that two checkouts never share."""
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:6]
    word = re.sub("[^a-z0-9]", "-", root.name.lower())[: LONGEST - 7].strip("-") or "checkout"
    return f"{word}-{digest}"
