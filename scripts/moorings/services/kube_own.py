"""The throwaway clusters of moor's own that run on this machine."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from moorings import cluster
from moorings.errors import MoorError
from moorings.layout import Layout
from moorings.runner import Runner
from moorings.services import go
from moorings.services.cluster import Cluster
from moorings.services.cluster_build import Programs
from moorings.services.engine import Engine


def running(layout: Layout, runner: Runner) -> Iterator[Cluster]:
    """Return those that run, the deployment's own first, then those of which it has the name."""
    cache = go.cache(os.environ.get("XDG_CACHE_HOME", ""), Path.home())
    parts = layout.root / "deploy" / "parts" / "cluster"
    found = [Cluster(home, parts, Programs(parts, cache, runner), runner)
             for home in sorted(layout.clusters.glob("*/"))]  # fmt: skip
    found.sort(key=lambda one: (not _belongs(layout.name, one), -len(one.home.name)))
    return (one for one in found if one.process() is not None)


def _belongs(name: str, own: Cluster) -> bool:
    # A deployment of the contract's has its checkout's name, and more.
    return name == own.home.name or name.startswith(f"{own.home.name}-")


def nearest(layout: Layout, runner: Runner) -> Cluster | None:
    """Return the one that a deployment goes to, where no other cluster was named."""
    return next((one for one in running(layout, runner) if _belongs(layout.name, one)), None)


def at_address(layout: Layout, runner: Runner, server: str) -> Cluster | None:
    """Return the one whose API is there."""
    return next((one for one in running(layout, runner) if one.server == server), None)


def load(layout: Layout, runner: Runner, server: str, image: str, engine: Engine) -> None:
    """Hand an image of an engine to the one whose API is there, unless it has it.

    :raises MoorError: where there is no such cluster, or no such image.
    """
    own = at_address(layout, runner, server)
    if own is None:
        hint = "./moor cluster status shows those that run"
        raise MoorError(f"no cluster of moor's is at {server}", hint=hint)
    if not any(own.tag(other, image) for other in _same(image, engine)):
        cluster.load_image(own, image, engine)


def _same(image: str, engine: Engine) -> list[str]:
    """Return the other names that the engine has for an image: the node may have one."""
    said = engine.ask("image", "inspect", "--format", "{{json .RepoTags}}", image)
    names = json.loads(said.output) if said.status == 0 else []
    return [name for name in names if name != image]
