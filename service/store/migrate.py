"""`python -m store.migrate`: bring the schema to this release's head, once, under a lock."""

import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from store.db import make_engine
from store.ready import REVISIONS, alembic_config, read_schema
from store.settings import SettingsError, database_url

PATIENCE = 60  # seconds that a second migration waits for the first
LOCK = 6_048_133  # any number, the same for all: PostgreSQL's advisory lock


class MigrateError(Exception):
    """Says in one sentence why nothing was changed."""


def migrate(url: URL, config: Config | None = None) -> str:
    """Migrate in one transaction, which is the lock too; return what was done.

    Raises MigrateError where the schema is past this release, DBAPIError where the database
    refuses; then the schema is as it was.
    """
    engine = make_engine(url, busy_timeout=PATIENCE)
    try:
        with _locked(engine) as connection:
            return _upgrade(connection, config or alembic_config())
    finally:
        engine.dispose()


def _upgrade(connection: Connection, config: Config) -> str:
    found = read_schema(connection, config)
    if found.refusal:
        raise MigrateError(f"{found.refusal}; deploy the release that brought it, or a newer one")
    if not found.behind:
        return f"nothing to do: the schema is at {found.current}, this release needs {found.head}"
    REVISIONS.create(connection, checkfirst=True)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return f"migrated the schema from {found.current or 'nothing'} to {found.head}"


@contextmanager
def _locked(engine: Engine) -> Iterator[Connection]:
    if engine.dialect.name == "sqlite":
        _use_wal(engine)
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        yield connection


def _use_wal(engine: Engine) -> None:
    """Readers and the writer no longer wait for each other; the file remembers it."""
    deadline = time.monotonic() + PATIENCE
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        while raw is not None:
            try:
                # No transaction may be open. SQLite does not wait here by itself.
                raw.execute("PRAGMA journal_mode=WAL").close()
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise OperationalError("PRAGMA journal_mode", None, error) from error
            time.sleep(0.05)


def main() -> int:
    try:
        print(migrate(database_url()))
        return 0
    except (SettingsError, MigrateError) as error:
        reason = str(error)
    except DBAPIError as error:
        first = str(error.orig).strip().partition("\n")[0]
        reason = f"nothing was changed: the database says: {first}"
    print(f"store.migrate: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
