"""Broken: needs a package that nobody installed."""

import not_installed  # type: ignore[import-not-found]

app = not_installed.app
