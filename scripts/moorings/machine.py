"""What moor put on the machine itself, so that `status` can say it and `down --all` undo it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from moorings import ui


@dataclass(frozen=True)
class Item:
    """One thing outside the state folder: its kind, its name, the command that removes it."""

    kind: str
    name: str
    undo: list[str]


def _file(state_root: Path) -> Path:
    return state_root / "machine.json"


def items(state_root: Path) -> list[Item]:
    """Return what was put on the machine, oldest first; a broken list is said and put aside."""
    file = _file(state_root)
    try:
        return [_item(entry) for entry in json.loads(file.read_text())]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError):
        aside = file.replace(file.with_suffix(".broken"))
        ui.warn(f"{file} is not readable and is started anew; what it named is in {aside}")
        return []


def _item(raw: Any) -> Item:
    """Take nothing on trust: `undo` is run, by root perhaps."""
    undo = raw["undo"]
    if not isinstance(undo, list) or not undo:
        raise TypeError("undo is no command")
    texts = [raw["kind"], raw["name"], *undo]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("an item is text")
    return Item(raw["kind"], raw["name"], undo)


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
    fresh = _file(state_root).with_suffix(".new")
    fresh.write_text(json.dumps([asdict(item) for item in left], indent=2) + "\n")
    fresh.replace(_file(state_root))
