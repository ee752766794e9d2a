"""The throwaway clusters of moor's own that run on this machine."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from moorings.layout import Layout
from moorings.runner import Runner
from moorings.services import go
from moorings.services.cluster import Cluster
from moorings.services.cluster_build import Programs
from moorings.services.kubectl import at


def running(layout: Layout, runner: Runner) -> Iterator[Cluster]:
    """Return those that run, the deployment's own first, then those of which it has the name."""
    cache = go.cache(os.environ.get("XDG_CACHE_HOME", ""), Path.home())
    parts = layout.root / "deploy" / "parts" / "cluster"
    found = [Cluster(home, parts, Programs(parts, cache, runner), runner)
             for home in sorted(layout.clusters.glob("*/"))]  # fmt: skip
    found.sort(key=lambda one: (not _belongs(layout.name, one), -len(one.home.name)))
    return (one for one in found if one.process() is not None)


def _belongs(name: str, cluster: Cluster) -> bool:
    # A deployment of the contract's has its checkout's name, and more.
    return name == cluster.home.name or name.startswith(f"{cluster.home.name}-")


def nearest(layout: Layout, runner: Runner) -> Cluster | None:
    """Return the one that a deployment goes to, where no other cluster was named."""
    return next((one for one in running(layout, runner) if _belongs(layout.name, one)), None)


def at_address(layout: Layout, runner: Runner, server: str) -> Cluster | None:
    """Return the one whose API is there."""
    return next((one for one in running(layout, runner) if _server(one) == server), None)


def _server(cluster: Cluster) -> str:
    try:
        raw = json.loads(cluster.kubeconfig.read_text())
    except (OSError, ValueError):
        return ""
    return str(at(raw, "clusters", 0, "cluster", "server") or "")
