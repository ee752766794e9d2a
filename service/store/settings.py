"""What the store reads from its environment, once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

EXPECTED = "expected something like sqlite:///store.db or postgresql://user@host/name"


class SettingsError(click.ClickException, ValueError):
    """A wrong setting, in one line that names the variable; also shown well by `flask run`."""


@dataclass(frozen=True)
class Settings:
    database_url: URL
    secret_key: str = field(repr=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Raise SettingsError, never with a value in it: values may be secrets."""
        url, key = database_url(env), _value(env, "SECRET_KEY")
        if not key:
            hint = "set it, or SECRET_KEY_FILE, to a long random text"
            raise SettingsError(f"SECRET_KEY is not set: {hint}")
        return cls(url, key)


def database_url(env: Mapping[str, str] = os.environ) -> URL:
    """DATABASE_URL or DATABASE_URL_FILE, with psycopg 3 as the PostgreSQL driver.

    Raises SettingsError. The default is store.db in DATA_DIR or the working folder.
    """
    text = _value(env, "DATABASE_URL")
    if not text:
        return URL.create("sqlite", database=str(Path(env.get("DATA_DIR", ""), "store.db")))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # Without the cause: its text quotes the URL, and with it the password.
        raise SettingsError(f"DATABASE_URL is not a database URL; {EXPECTED}") from None
    return _supported(url)


def _supported(url: URL) -> URL:
    if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername != "sqlite":
        raise SettingsError(f"DATABASE_URL: there is no driver for {url.drivername}; {EXPECTED}")
    if url.database in (None, "", ":memory:"):
        raise SettingsError(f"DATABASE_URL: SQLite needs a file to share; {EXPECTED}")
    return url


def _value(env: Mapping[str, str], name: str) -> str:
    """What `name` says, or the file that `name`_FILE names; stripped, empty if neither does."""
    path = env.get(f"{name}_FILE")
    if not path:
        return env.get(name, "").strip()
    if env.get(name):
        raise SettingsError(f"{name} and {name}_FILE are both set; keep one")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{name}_FILE: cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{name}_FILE: {path} is not UTF-8 text") from error
