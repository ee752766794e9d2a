"""Jaeger from its published Go module, kept in the user's cache by version."""

from pathlib import Path

from moorings.runner import Runner
from moorings.services import go_build
from moorings.services.jaeger_source import VERSION

PACKAGE = "github.com/jaegertracing/jaeger/cmd/jaeger"
STAMP = f"github.com/jaegertracing/jaeger/internal/version.latestVersion=v{VERSION}"
INSTEAD = "JAEGER_BIN= or JAEGER_URL= do without a build"


class Build(go_build.Build):
    """A build of Jaeger."""

    def __init__(self, folder: Path, cache: Path, runner: Runner) -> None:
        """Start nothing.

        :param folder: it has go.mod, go.sum and go.txt.
        """
        recipe = go_build.Recipe(
            "Jaeger", VERSION, PACKAGE, folder, folder / "go.txt", 2326, STAMP, INSTEAD
        )
        super().__init__(recipe, "jaeger", cache, runner)
