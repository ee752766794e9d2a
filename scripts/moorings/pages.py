"""The pages of docs/ that are made from the code: `make docs` writes them."""

from collections.abc import Callable, Mapping
from dataclasses import Field
from pathlib import Path
from typing import Any

from moorings import settings, targets
from moorings.contract import registry
from moorings.contract.controls import CONTROLS
from moorings.contract.registry import Check

DOCS = Path(__file__).resolve().parents[2] / "docs"

SETTINGS = """\
# Settings

Made from the code by `make docs`. What the operator sets is in `moor.toml`; the variable of the
environment overrides it, and a flag overrides both. `make` variables are short names of the same.

| setting | default | what it means | variable | also | make | flag |
| --- | --- | --- | --- | --- | --- | --- |"""

CHECKS = """\
# The contract

Made from the code by `make docs`. Each check proves one sentence about a deployment, always prints
a figure, and has a bad deployment that it must catch. `./moor check TARGET` asks them of an
instance of its own; `--quick` asks those so marked of the one in use; what a target or an app
cannot have is shown as `n/a` with the need that is missing.

| check | it proves | needs | control | quick |
| --- | --- | --- | --- | --- |"""

OUTCOMES = """
Outcomes: `pass`, `fail`, `limit` (a known limit that the target declares, with its cause and a
source), `n/a` (a need that this column cannot have), `skip` (a tool is missing; an error in CI).
"""


def settings_page() -> str:
    """Return the table of every setting."""
    known = settings.describe(targets.sections())
    return "\n".join([SETTINGS, *(_setting(key, item) for key, item in known)]) + "\n"


def _setting(key: str, item: "Field[Any]") -> str:
    about = item.metadata
    choices = f" ({', '.join(about['choices'])})" if len(about["choices"]) > 1 else ""
    words = [settings.variable(key), about["env"], about["make"], about["flag"]]
    cells = [f"`{key}`", f"`{_default(item)!r}`", about["about"] + choices, *map(_code, words)]
    return f"| {' | '.join(cells)} |"


def _default(item: "Field[Any]") -> object:
    return settings.AUTO if item.metadata["auto"] else item.default


def _code(word: str) -> str:
    return f"`{word}`" if word else ""


def contract_page() -> str:
    """Return the table of every check."""
    return "\n".join([CHECKS, *map(_check, registry.load()), OUTCOMES])


def _check(check: Check) -> str:
    needs = ", ".join(sorted(check.needs))
    control = ", ".join(_controls(check)) or f"none: {check.no_control}"
    cells = [f"`{check.id}`", check.proves, needs, control, "yes" if check.quick else ""]
    return f"| {' | '.join(cells)} |"


def _controls(check: Check) -> list[str]:
    """Return the controls that redden a check, its own first."""
    found = [name for name, one in CONTROLS.items() if check.id in one.reddens]
    return sorted(found, key=lambda name: name != check.control)


#: Each page by its file in docs/.
PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "contract.md": contract_page,
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page())


if __name__ == "__main__":
    main()
