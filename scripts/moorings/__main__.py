"""Run `moor` as ``python -m moorings``."""

from moorings.cli import main

main()
