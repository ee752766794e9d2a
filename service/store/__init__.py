"""A small online grocery: the sample that Moorings runs. Any Flask app can take its place."""

from store.app import create_app

__all__ = ["create_app"]
