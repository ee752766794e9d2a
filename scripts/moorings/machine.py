"""What moor put on the machine itself, so that `status` can say it and `down --all` undo it."""

import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from moorings import probe, ui
from moorings.flock import taken

#: Seconds in which another moor has long written its line.
PATIENCE = 10.0


@dataclass(frozen=True)
class Item:
    """One thing outside the state folder: its kind, its name, the command that removes it."""

    kind: str
    name: str
    undo: list[str]


def _file(state_root: Path) -> Path:
    return state_root / "machine.json"


def items(state_root: Path) -> list[Item]:
    """Return what was put on the machine, as it is undone; a broken list is said and put aside."""
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


def remember(state_root: Path, item: Item, *, first: bool = False) -> None:
    """Add an item, once.

    :param first: it is undone before those that are there, as it leans on them.
    """
    with _alone(state_root):
        known = items(state_root)
        if item not in known:
            _write(state_root, [item, *known] if first else [*known, item])


def forget(state_root: Path, gone: Collection[Item]) -> None:
    """Take items off the list."""
    with _alone(state_root):
        _write(state_root, [item for item in items(state_root) if item not in gone])


@contextmanager
def _alone(state_root: Path) -> Iterator[None]:
    """Keep another moor from changing the list during a block; the folder itself is the lock."""
    state_root.mkdir(parents=True, exist_ok=True)
    folder = os.open(state_root, os.O_RDONLY)
    try:
        what = "another moor to write down what it has made"
        probe.until(lambda: taken(folder) or None, what=what, timeout=PATIENCE)
        yield
    finally:
        os.close(folder)


def _write(state_root: Path, left: list[Item]) -> None:
    """Replace the list; an empty one leaves no file."""
    if not left:
        _file(state_root).unlink(missing_ok=True)
        return
    fresh = _file(state_root).with_suffix(".new")
    fresh.write_text(json.dumps([asdict(item) for item in left], indent=2) + "\n")
    fresh.replace(_file(state_root))
