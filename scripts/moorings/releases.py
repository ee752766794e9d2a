"""Releases on this host: folders with their code, and the environments they run in."""

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from moorings import service, tree, ui, users
from moorings.environments import Environments
from moorings.target import Context, Release


@dataclass(frozen=True)
class HostReleases:
    """What the targets that run plain processes share: version, code, environment, migration."""

    context: Context
    server: str
    """The target's name, which is also its lock file's and its folder's below deploy/."""

    def version(self) -> Release:
        """Name the version by the app, and by this repository where the app is another's."""
        kit = tree.version(self.context.settings.root, self._parts())
        if service.is_sample(self.context.settings):
            return Release(kit.name, kit.commit)
        app = tree.version(service.app_folder(self.context.settings))
        return Release(f"{app.name}-m{kit.name[-7:]}", app.commit)

    def _parts(self) -> tuple[str, ...]:
        """The parts of the checkout that run; the sample only where it is what runs."""
        parts = ("service/runtime", "service/requirements", f"deploy/{self.server}")
        return (*parts, "service/store") if service.is_sample(self.context.settings) else parts

    def folder(self, release: Release) -> Path:
        """Return the real path of a release's code: never through a link that may move."""
        return self.context.layout.releases / release.version

    def build(self, release: Release) -> None:
        """Copy the code to a folder of its own, whole or not at all, and make its environment."""
        ui.good(f"environment {self.environment}")
        place = self.folder(release)
        if place.exists() or self.context.runner.dry:
            return
        fresh = place.with_name(f"{place.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        tree.copy(self.context.settings.root, self._parts(), fresh)
        if not service.is_sample(self.context.settings):
            tree.copy(service.app_folder(self.context.settings), ["."], fresh / "app")
            self._keep_instance(fresh / "app")
        fresh.replace(place)
        ui.good(f"built {place}")

    def _keep_instance(self, app: Path) -> None:
        """Let Flask's instance folder, where an app may write, outlive the release.

        https://flask.palletsprojects.com/en/stable/config/#instance-folders
        """
        kept = self.context.layout.data / "instance"
        brought = app / "instance"
        if brought.is_dir() and not kept.exists():
            # What the app brings is its beginning; what it has written since is never replaced.
            shutil.copytree(brought, kept)
        shutil.rmtree(brought, ignore_errors=True)
        kept.mkdir(parents=True, exist_ok=True)
        for path in (kept, *kept.rglob("*")):
            users.own(path, self.context.user)
        brought.symlink_to(kept)

    def remove(self, release: Release) -> None:
        """Remove the code of a release."""
        self.context.runner.remove(self.folder(release))

    @cached_property
    def environment(self) -> Path:
        """Return the virtual environment for the app and its server, making it if need be."""
        settings, layout = self.context.settings, self.context.layout
        made = Environments(layout.environments, self.context.runner, self.context.user)
        locks = settings.root / "service" / "requirements"
        names = ["runtime.txt", f"{self.server}.txt"]
        own = None if service.is_sample(settings) else service.requirements(settings)
        if own is None:
            names.insert(0, "base.txt")
        return made.of([locks / name for name in names], own)

    def environ(self, release: Release) -> dict[str, str]:
        """Return the whole environment of a process of a release."""
        code = self.folder(release)
        sample = service.is_sample(self.context.settings)
        paths = [code / "service"] if sample else [code / "service", code / "app"]
        return service.process_environment(release.env, paths, self.environment)

    def work_folder(self, release: Release) -> Path:
        """Return the folder that the app's processes start in: the app's own."""
        code = self.folder(release)
        return code / ("service" if service.is_sample(self.context.settings) else "app")

    def migrate(self, release: Release, command: str) -> None:
        """Run the app's migrations, by the rights and in the environment of the app."""
        self.context.runner.run(
            service.words(command),
            timeout=600,
            cwd=self.work_folder(release),
            env=self.environ(release),
            user=self.context.user,
        )
