"""What the service's environment is inside an image."""

from pathlib import Path

import pytest

from moorings.services import app_env
from moorings.settings import App, Settings
from moorings.target import Release

ENV = {"DATABASE_URL": "postgresql://u@h/n", "BIND": "x", "READY": "store.ready:check"}


@pytest.mark.parametrize("name", ["database_url", "database_url_file"])
def test_a_database_of_the_settings_is_the_only_one(name: str) -> None:
    told = Settings(Path(), app=App(**{name: "x"}))
    made = app_env.inside(told, Release("v1", "", env=ENV))
    assert made.env["DATABASE_URL"] == ENV["DATABASE_URL"]
    # That of the target's own files is emptied, which is read before; for the migration too.
    assert made.env["DATABASE_URL_FILE"] == ""
    assert app_env.of_migration(made) == {"DATABASE_URL_FILE": ""}


def test_without_one_in_the_settings_the_target_has_its_own() -> None:
    made = app_env.inside(Settings(Path()), Release("v1", "", env=ENV))
    assert not {"DATABASE_URL", "DATABASE_URL_FILE"} & set(made.env)
    assert app_env.of_migration(made) == {}
