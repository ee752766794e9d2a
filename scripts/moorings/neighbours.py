"""The other deployments of this machine, as far as the state folder shows them."""

from pathlib import Path

from moorings.flock import taken
from moorings.layout import SHARED, Layout
from moorings.runner import Runner
from moorings.services.jaeger_state import StateFile
from moorings.supervised import Supervised


def busy(layout: Layout, runner: Runner) -> list[str]:
    """Return the names of those of which something runs, or that are just being changed."""
    return [home.name for home in _others(layout) if _busy(home, runner)]


def with_data(state: Path) -> list[str]:
    """Return the names of all deployments that have data on this machine, running or not."""
    return sorted(data.parent.name for data in state.glob("*/data"))


def _others(layout: Layout) -> list[Path]:
    if not layout.state.is_dir():
        return []
    own = (*SHARED, layout.name)
    return sorted(home for home in layout.state.iterdir() if home.is_dir() and home.name not in own)


def _busy(home: Path, runner: Runner) -> bool:
    serves = any(_serves(Supervised(place, runner, None)) for place in _parts(home))
    jaeger = StateFile(home / "jaeger.json").read()
    # Whether a container runs only its engine knows; one that is written down counts.
    traces = jaeger is not None and (jaeger.container or jaeger.process())
    return bool(serves or traces or _changing(home / "lock"))


def _parts(home: Path) -> list[Path]:
    """Return every folder of it that may have a supervisor of its own."""
    return [home, *(folder.parent for folder in home.glob("*/supervisor"))]


def _serves(supervised: Supervised) -> bool:
    running = (master.process() for master in supervised.masters())
    return supervised.process() is not None or any(running)


def _changing(lock: Path) -> bool:
    try:
        with lock.open("r+") as stream:
            return not taken(stream)
    except FileNotFoundError:
        return False
