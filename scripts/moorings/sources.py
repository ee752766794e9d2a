"""The source of each release: a folder of this host with the parts of the checkout that run."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moorings import service, tree, ui
from moorings.target import Context, Release


def untouched(app: Path) -> None:
    """Leave the operator's app as it was copied."""


@dataclass(frozen=True)
class Sources:
    """Names, copies, lists and removes it."""

    context: Context
    parts: tuple[str, ...]
    """Of the checkout, beside the sample."""
    finish: Callable[[Path], None] = untouched
    """What is done with the copy of the operator's own app before the release counts as there."""

    @property
    def sample(self) -> bool:
        """Whether the sample is what runs, and not the operator's own app."""
        return service.is_sample(self.context.settings)

    def version(self) -> Release:
        """Name the version by the app, and by this repository where the app is another's."""
        kit = tree.version(self.context.settings.root, self._parts())
        if self.sample:
            return Release(kit.name, kit.commit)
        app = tree.version(service.app_folder(self.context.settings))
        return Release(f"{app.name}-m{kit.name[-7:]}", app.commit)

    def _parts(self) -> tuple[str, ...]:
        return (*self.parts, "service/store") if self.sample else self.parts

    def folder(self, version: str) -> Path:
        """Return the real path of a version: never through a link that may move."""
        return self.context.layout.releases / version

    def copy(self, version: str) -> None:
        """Copy the source to a folder of its own, whole or not at all."""
        place = self.folder(version)
        if place.exists() or self.context.runner.dry:
            return
        fresh = place.with_name(f"{place.name}.new")
        # A run that was killed left it half made.
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            tree.copy(self.context.settings.root, self._parts(), fresh)
            if not self.sample:
                tree.copy(service.app_folder(self.context.settings), ["."], fresh / "app")
                self.finish(fresh / "app")
            fresh.replace(place)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        ui.good(f"built {place}")

    def there(self) -> set[str]:
        """Return the versions whose source is here."""
        folder = self.context.layout.releases
        return {one.name for one in folder.iterdir()} if folder.is_dir() else set()

    def remove(self, version: str) -> None:
        """Remove the source of a version."""
        self.context.runner.remove(self.folder(version))
