"""Gets the packages that the tests of columns and pages need, as a deploy would: for `make test`.

A test that is collected before a deploy has brought its server would be skipped.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from moorings import deployment, packages, targets, ui
from moorings.runner import LocalRunner
from moorings.services import cluster_needs
from moorings.target import Need, Target
from moorings.targets.k8s import K8s

ROOT = Path(__file__).resolve().parents[2]


def missing(root: Path, environ: Mapping[str, str]) -> list[Need]:
    """Return what columns lack that a package brings, each once."""
    found: dict[str, Need] = {}
    for target, flags in targets.columns().values():
        made = deployment.open(root, environ, flags, target, looks_only=True)
        for need in _packaged(made.target):
            if need.packages and not need.there:
                found[need.what] = need
    return [*found.values(), *_by_hand()]


def _packaged(target: Target) -> list[Need]:
    """Return what a target wants; where that is a cluster, the tests start one and end it."""
    needs = target.needs()
    starts = isinstance(target, K8s) and any(need.remedy for need in needs)
    return cluster_needs.needs() if starts else needs


def _by_hand() -> list[Need]:
    """Return what is missing of what the pages of deploy/ begin with, by hand."""
    has_venv = any(Path("/usr/lib").glob("python3*/ensurepip/__init__.py"))
    how = "as root: apt-get install --yes --no-install-recommends python3-venv"
    venv = Need("Debian's Python has no venv with pip", has_venv, how, ("python3-venv",))
    return [need for need in (packages.need("curl", "curl"), venv) if not need.there]


def main() -> int:
    """Install what is missing where that may be done, else print how; 1 where CI lacks it."""
    lacks = missing(ROOT, os.environ)
    state = deployment.open(ROOT, os.environ, {}, targets.names()[0], looks_only=True).layout.state
    supply = packages.Supply(LocalRunner(), state, yes=True)
    left = [need for need in lacks if not supply(need)]
    for need in left:
        ui.warn(f"{need.what}: its tests are left out. {need.how}")
    return 1 if left and os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
