"""The registry of targets is the listing of this folder."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import click

from moorings import words
from moorings.errors import UsageError
from moorings.services.jaeger import Jaeger
from moorings.target import Context, Target

#: What a deploy is on that names none, where nothing is deployed.
DEFAULT = "gunicorn"


def names() -> list[str]:
    """Return the name of every target."""
    return sorted(file.stem for file in Path(__file__).parent.glob("[a-z]*.py"))


def sections() -> dict[str, type]:
    """Return the class of each target's own settings, where it has some."""
    modules = {name: importlib.import_module(f"{__name__}.{name}") for name in names()}
    return {name: module.Options for name, module in modules.items() if hasattr(module, "Options")}


def columns() -> dict[str, tuple[str, Mapping[str, object]]]:
    """Return each column of the grid: its target, and the settings that make it.

    A module names its columns in `COLUMNS`; a target without has one, of its own name.
    """
    found: dict[str, tuple[str, Mapping[str, object]]] = {}
    for name in names():
        module = importlib.import_module(f"{__name__}.{name}")
        own: Mapping[str, Mapping[str, object]] = getattr(module, "COLUMNS", {name: {}})
        found |= {column: (name, flags) for column, flags in own.items()}
    return found


def check(name: str) -> str:
    """Return the name of a target that exists.

    :raises UsageError: naming the nearest one.
    """
    if name not in names():
        meant = words.meant(name, names())
        raise UsageError(f"no target {name!r}{meant}", hint=f"targets: {', '.join(names())}")
    return name


def make(name: str, context: Context) -> Target:
    """Return the target of this name.

    :raises UsageError: if there is none.
    """
    module = importlib.import_module(f"{__name__}.{check(name)}")
    return cast(Target, module.create(context))


def jaeger(target: Target, context: Context) -> Jaeger:
    """Return where the traces of a target go: a module may know a Jaeger of its own."""
    module = importlib.import_module(f"{__name__}.{target.name}")
    if hasattr(module, "jaeger"):
        return cast(Jaeger, module.jaeger(context, target))
    return Jaeger(context.settings.jaeger, context.runner, context.layout, context.user)


def commands() -> list[click.Command]:
    """Return the commands that targets bring of their own."""
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names()]
    return [module.command for module in modules if hasattr(module, "command")]
