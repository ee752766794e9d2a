"""What moor put on the machine itself, so that `status` can say it and `down --all` undo it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Item:
    """One thing outside the state folder: its kind, its name, the command that removes it."""

    kind: str
    name: str
    undo: list[str]


def _file(state_root: Path) -> Path:
    return state_root / "machine.json"


def items(state_root: Path) -> list[Item]:
    """Return what was put on the machine, oldest first."""
    file = _file(state_root)
    if not file.exists():
        return []
    return [Item(**entry) for entry in json.loads(file.read_text())]


def remember(state_root: Path, item: Item) -> None:
    """Add an item, once."""
    known = items(state_root)
    if item not in known:
        write(state_root, [*known, item])


def write(state_root: Path, left: list[Item]) -> None:
    """Replace the list; an empty one leaves no file."""
    state_root.mkdir(parents=True, exist_ok=True)
    if not left:
        _file(state_root).unlink(missing_ok=True)
        return
    _file(state_root).write_text(json.dumps([asdict(item) for item in left], indent=2) + "\n")
