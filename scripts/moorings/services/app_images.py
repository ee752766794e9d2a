"""The images of the app, one for each release: the engine keeps them, by tag."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from moorings import tree, ui
from moorings.packages import Supply
from moorings.services import base_choice, go
from moorings.services.engine import Engine
from moorings.services.images import Bases
from moorings.services.jaeger_build import Build
from moorings.sources import Sources
from moorings.target import Context, Need, Release

FILES = Path("deploy/docker")

#: Seconds that a build may take; a cold one takes about a minute.
BUILD = 900.0

#: Seconds that the removal of one may take.
REMOVE = 60.0


@dataclass(frozen=True)
class AppImages:
    """Builds, lists and removes them."""

    context: Context
    engine: Engine
    server: str
    """The last stage of the Dockerfile."""
    sources: Sources
    """What each is made of."""
    images: str
    """Which bases: of Debian's packages, the public ones, or those that there are."""
    key: str = "docker.images"
    """The setting that says so."""

    def needs(self) -> list[Need]:
        """Want an engine, and what makes the bases where they are to be made here."""
        needs = self.engine.needs()
        settled = all(need.there for need in needs) and not self.context.looks_only
        return [*needs, *self._bases().needs()] if settled and self.debian else needs

    @cached_property
    def debian(self) -> bool:
        """Whether the bases are made from Debian's packages; if not, the public ones are taken."""
        if self.engine.runner.dry:
            return False
        public = base_choice.python_image(self.context.layout.root / FILES / "Dockerfile")
        return base_choice.of_debian(self.engine, self.images, public)

    @property
    def _repository(self) -> str:
        return f"moorings/{self.context.layout.name}"

    def name(self, version: str) -> str:
        """Return the image of a version."""
        return f"{self._repository}:{version}"

    def build(self, release: Release, *more: str) -> None:
        """Build the image of a release, unless it is there.

        :param more: words for the command.
        :raises CommandError: with the last lines of what failed.
        """
        # The tag says what is in it, so that nothing is built from a checkout that has gone on.
        if release.version in self.built():
            return
        self.sources.copy(release.version)
        context = self.sources.folder(release.version)
        argv = [*self.engine.build, "--network", "host", "--target", self.server,
                "--progress", "plain",
                "--file", str(context / FILES / "Dockerfile"),
                "--tag", self.name(release.version),
                "--build-arg", f"RELEASE={release.version}",
                "--build-arg", f"COMMIT={release.commit}",
                "--build-arg", f"APP_DIR={'service/store' if self.sources.sample else 'app'}",
                *self._epoch(release), *self._base(), *more]  # fmt: skip
        with ui.working("Building the image"):
            self.engine.do(*argv, *self.secrets(), str(context), timeout=BUILD)
        if not self.engine.runner.dry:
            ui.good(f"built {self.name(release.version)}")

    def _epoch(self, release: Release) -> list[str]:
        """Return the time that the image has: its commit's, so that a later build has it too.

        https://docs.docker.com/build/ci/github-actions/reproducible-builds/
        """
        made = tree.time(self.context.settings.root, release.commit)
        return ["--build-arg", f"SOURCE_DATE_EPOCH={made}"] if made else []

    def _base(self) -> list[str]:
        base = self.bases().get("BASE_IMAGE", "")
        names = ("PYTHON_IMAGE", "DEBIAN_IMAGE") if base else ()
        return [word for name in names for word in ("--build-arg", f"{name}={base}")]

    def _bases(self) -> Bases:
        layout = self.context.layout
        cache = go.cache(os.environ.get("XDG_CACHE_HOME", ""), Path.home())
        recipe = layout.root / "deploy" / "parts" / "jaeger" / "build"
        supply = Supply(self.context.runner, layout.state, yes=True)
        return Bases(self.engine, supply, Build(recipe, cache, self.context.runner), self.key)

    def bases(self) -> dict[str, str]:
        """Return the images below all others by their variable, making those that are missing."""
        return self._bases().make() if self.debian else {}

    def secrets(self) -> list[str]:
        """Return the words that lend a build what this machine reaches packages by."""
        return self._bases().secrets()

    def built(self) -> set[str]:
        """Return the versions whose image the engine has."""
        argv = ("image", "ls", "--format", "{{.Tag}}", self._repository)
        said = self.engine.ask(*argv)
        return set(said.output.split()) if said.status == 0 else set()

    def remove(self, version: str) -> None:
        """Remove the image of a version, and what it was made of."""
        if version in self.built():
            # One that is in use, by a container of the operator's own say, stays.
            self.engine.do("image", "rm", self.name(version), timeout=REMOVE, check=False)
        self.sources.remove(version)
