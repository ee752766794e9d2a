"""Flags of the command line, made from the settings that declare one."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from moorings import settings, targets
from moorings.errors import SettingsError

Command = Callable[..., Any]


def target_argument(command: Command) -> Command:
    """Add the optional name of a target; empty: the one that is deployed."""
    return click.argument("target", default="", metavar="[TARGET]")(command)


def setting_options(command: Command) -> Command:
    """Add a flag for each setting that has one, and --set for the others."""
    for key, item in reversed(settings.describe(targets.sections())):
        flag = item.metadata["flag"]
        if flag:
            command = click.option(flag, key.replace(".", "__"), help=item.metadata["about"])(
                command
            )
    every = click.option(
        "--set", "every", multiple=True, metavar="KEY=VALUE",
        help="Any setting of moor.toml, as in --set server.grace=10.",
    )  # fmt: skip
    return every(command)


def values(options: Mapping[str, Any]) -> dict[str, object]:
    """Return the settings that the flags gave, by key.

    :raises SettingsError: for a --set without a value.
    """
    given = {
        name.replace("__", "."): value
        for name, value in options.items()
        if "__" in name and value is not None
    }
    for pair in options.get("every", ()):
        key, equals, value = pair.partition("=")
        if not equals:
            raise SettingsError(f"--set {pair}: should be KEY=VALUE", hint="--set server.port=8001")
        given[key] = value
    return given
