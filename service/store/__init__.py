"""A small online grocery: the sample that Moorings runs. Any Flask app can take its place."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from store.settings import Settings


def create_app(settings: "Settings | None" = None) -> "Flask":
    """Raise SettingsError. The database is not asked for before the first request."""
    # Late, so that migrating and looking whether it is ready load no web framework.
    from store.app import make_app
    from store.settings import Settings

    return make_app(settings or Settings.from_env())
