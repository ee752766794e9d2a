"""Releases on this host: folders with their code, and the environments they run in."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from moorings import service, ui, users
from moorings.environments import Environments
from moorings.errors import NeedError
from moorings.sources import Sources
from moorings.target import Context, Release


@dataclass(frozen=True)
class HostReleases:
    """What the targets that run plain processes share: version, code, environment, migration."""

    context: Context
    server: str
    """The target's name, which is also its lock file's and its folder's below deploy/."""
    python: Callable[[], str] = str
    """Which interpreter the environments are of; empty: any that the service's user may run."""
    more: tuple[str, ...] = ()
    """Further parts of the checkout that run."""
    _environments: dict[str, Path] = field(default_factory=dict)

    @property
    def sources(self) -> Sources:
        """Their code."""
        parts = ("service/runtime", "service/requirements", f"deploy/{self.server}", *self.more)
        return Sources(self.context, parts, self._keep_instance)

    def version(self) -> Release:
        """Name the version by the app, and by this repository where the app is another's."""
        return self.sources.version()

    def folder(self, release: Release) -> Path:
        """Return the real path of a release's code: never through a link that may move."""
        return self.sources.folder(release.version)

    def build(self, release: Release) -> None:
        """Copy the code to a folder of its own, whole or not at all, and make its environment."""
        self.sources.copy(release.version)
        ui.good(f"environment {self.environment(release)}")

    def _keep_instance(self, app: Path) -> None:
        """Let Flask's instance folder, where an app may write, outlive the release.

        https://flask.palletsprojects.com/en/stable/config/#instance-folders
        """
        kept = self.context.layout.data / "instance"
        brought = app / "instance"
        if not kept.exists():
            # What the app brings is its beginning; what it has written since is never replaced.
            brought.mkdir(exist_ok=True)
            for path in (brought, *brought.rglob("*")):
                users.own(path, self.context.user)
            brought.replace(kept)
        shutil.rmtree(brought, ignore_errors=True)
        brought.symlink_to(kept)

    def built(self) -> set[str]:
        """Return the versions whose code is here."""
        return self.sources.there()

    def remove(self, version: str) -> None:
        """Remove the code of a release."""
        self.sources.remove(version)

    def environment(self, release: Release) -> Path:
        """Return the virtual environment for the app and its server, making it if need be.

        What is installed is what the release itself locks: the checkout may have gone on.
        """
        if release.version not in self._environments:
            place = self.folder(release)
            # A dry run builds nothing: there the checkout says what a build would copy.
            locks, own = self._locks(place) if place.is_dir() else self._locks_of_checkout()
            made = self._makes()
            self._environments[release.version] = made.of(locks, own)
        return self._environments[release.version]

    def _makes(self) -> Environments:
        context = self.context
        return Environments(
            context.layout.environments, context.runner, context.user, self.python()
        )

    def _locks(self, place: Path) -> tuple[list[Path], Path | None]:
        app = place / "app"
        if not app.is_dir():
            return self._named(place, sample=True), None
        own = app / "requirements.txt"
        return self._named(place, sample=not own.is_file()), own if own.is_file() else None

    def _locks_of_checkout(self) -> tuple[list[Path], Path | None]:
        settings = self.context.settings
        own = None if service.is_sample(settings) else service.requirements(settings)
        return self._named(settings.root, sample=own is None), own

    def _named(self, root: Path, sample: bool) -> list[Path]:
        """Return the lock files: the sample's packages also serve an app that names none."""
        names = ["base"] if sample else []
        locks = root / "service" / "requirements"
        legacy = service.is_legacy(self.context.settings)
        runtime = _present(locks / "legacy-jaeger.txt") if legacy else locks / "runtime.txt"
        return [*(locks / f"{name}.txt" for name in names), runtime, locks / f"{self.server}.txt"]

    def environ(self, release: Release) -> dict[str, str]:
        """Return the whole environment of a process of a release."""
        code = self.folder(release)
        sample = service.is_sample(self.context.settings)
        paths = [code / "service"] if sample else [code / "service", code / "app"]
        return service.process_environment(release.env, paths, self.environment(release))

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

    def accepts(self, release: Release) -> None:
        """Ask the app's READY once, in a process of the release, whether it can run on the data.

        :raises CommandError: with what it says.
        """
        self.context.runner.run(
            ["python", "-m", "runtime.ready", str(self.context.settings.server.boot_timeout)],
            timeout=self.context.settings.server.boot_timeout + 30,
            cwd=self.work_folder(release),
            env=self.environ(release),
            user=self.context.user,
        )


def _present(lock: Path) -> Path:
    """Return the lock file of the Jaeger exporter.

    :raises NeedError: where the release has none.
    """
    if not lock.is_file():
        raise NeedError(
            f"the exporter jaeger needs the packages of {lock.name}, and {lock} is not there",
            hint="deploy a release that has it (`git checkout -- service/requirements`), or "
            "TRACES_EXPORTER=otlp",
        )
    return lock
