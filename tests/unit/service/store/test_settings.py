from pathlib import Path

import pytest

from store.settings import Settings, SettingsError, database_url

KEY = {"SECRET_KEY": "only for tests"}


@pytest.mark.parametrize(
    ("env", "driver", "database"),
    [
        ({}, "sqlite", "store.db"),
        ({"DATA_DIR": "/data"}, "sqlite", "/data/store.db"),
        ({"DATABASE_URL": "sqlite:///x.db"}, "sqlite", "x.db"),
        ({"DATABASE_URL": "postgres://u@h/n"}, "postgresql+psycopg", "n"),
        ({"DATABASE_URL": "postgresql://u@h/n"}, "postgresql+psycopg", "n"),
        ({"DATABASE_URL": "postgresql+psycopg://u@h/n"}, "postgresql+psycopg", "n"),
    ],
)
def test_the_database(env: dict[str, str], driver: str, database: str) -> None:
    url = database_url(env)
    assert (url.drivername, url.database) == (driver, database)


def test_values_come_from_files(tmp_path: Path) -> None:
    for name, text in (("url", "sqlite:///x.db\n"), ("key", "a b\n")):
        (tmp_path / name).write_text(text)
    files = {"DATABASE_URL_FILE": str(tmp_path / "url"), "SECRET_KEY_FILE": str(tmp_path / "key")}
    settings = Settings.from_env(files)
    assert (settings.database_url.database, settings.secret_key) == ("x.db", "a b")


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": " "}, "SECRET_KEY is not set"),
        ({"SECRET_KEY_FILE": "/no/such"}, "SECRET_KEY_FILE: cannot read /no/such: No such file"),
        ({**KEY, "SECRET_KEY_FILE": "/x"}, "SECRET_KEY and SECRET_KEY_FILE are both set"),
        ({**KEY, "DATABASE_URL": "private"}, "DATABASE_URL is not a database URL"),
        ({**KEY, "DATABASE_URL": "mysql://u:private@h/n"}, "no driver for mysql"),
        ({**KEY, "DATABASE_URL": "postgres://u:private@h:x/n"}, "DATABASE_URL is not a data"),
        ({**KEY, "DATABASE_URL": "sqlite://"}, "SQLite needs a file"),
        ({**KEY, "DATABASE_URL_FILE": "/no/such"}, "DATABASE_URL_FILE: cannot read /no/such"),
    ],
)
def test_a_wrong_setting_is_one_line_without_its_value(env: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_env(env)
    assert words in str(raised.value)
    assert "private" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_secrets_are_not_shown() -> None:
    shown = repr(Settings.from_env({**KEY, "DATABASE_URL": "postgresql://u:private@h/n"}))
    assert "only for tests" not in shown
    assert "private" not in shown
