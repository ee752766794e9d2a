"""Print docs/settings.md, made from the settings that the code declares: `make docs`."""

from dataclasses import Field
from typing import Any

from moorings import settings, targets

HEAD = """\
# Settings

Made from the code by `make docs`. What the operator sets is in `moor.toml`; the variable of the
environment overrides it, and a flag overrides both. `make` variables are short names of the same.

| setting | default | what it means | variable | also | make | flag |
| --- | --- | --- | --- | --- | --- | --- |"""


def page() -> str:
    """Return the whole page."""
    known = settings.describe(targets.sections())
    return "\n".join([HEAD, *(_row(key, item) for key, item in known)]) + "\n"


def _row(key: str, item: "Field[Any]") -> str:
    about = item.metadata
    choices = f" ({', '.join(about['choices'])})" if len(about["choices"]) > 1 else ""
    words = [settings.variable(key), about["env"], about["make"], about["flag"]]
    cells = [f"`{key}`", f"`{item.default!r}`", about["about"] + choices, *map(_code, words)]
    return f"| {' | '.join(cells)} |"


def _code(word: str) -> str:
    return f"`{word}`" if word else ""


if __name__ == "__main__":
    print(page(), end="")
