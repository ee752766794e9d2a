"""One engine per process, one session per request, and who holds the write lock."""

import os
from typing import Any

import sqlalchemy
from flask import Flask, current_app, g
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.orm import Session

BUSY_TIMEOUT = 5  # seconds that a SQLite connection waits for another one's write


class Database:
    """An engine for a server that may fork after it imported the app."""

    def __init__(self, url: URL) -> None:
        self._engine, self._pid = make_engine(url), os.getpid()

    def engine(self) -> Engine:
        if self._pid != os.getpid():
            # The parent owns these connections: forget them, don't close them. No lock: a child
            # could inherit it held, and two threads that both forget do no harm.
            self._engine.dispose(close=False)
            self._pid = os.getpid()
        return self._engine


def make_engine(url: URL, busy_timeout: int = BUSY_TIMEOUT) -> Engine:
    """An engine with our rules for SQLite and short waits (in seconds) for PostgreSQL."""
    # Named through the module, so that instrumentation which replaces it is met.
    if url.get_backend_name() != "sqlite":
        arguments = {"connect_timeout": 2} if "connect_timeout" not in url.query else {}
        return sqlalchemy.create_engine(
            url, pool_pre_ping=True, pool_timeout=BUSY_TIMEOUT, connect_args=arguments
        )
    engine = sqlalchemy.create_engine(url, connect_args={"timeout": busy_timeout})
    event.listen(engine, "connect", _connect_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _connect_sqlite(connection: Any, _record: object) -> None:
    # The driver must not begin transactions by itself: _begin_sqlite does.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns writer half-way cannot wait for its turn ("database is locked"),
    # so whoever is going to write takes the lock first.
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def begin_write(session: Session) -> None:
    """Start a transaction that may write; whatever was only read before is let go."""
    session.rollback()
    session.connection(execution_options={"write": True})


def session() -> Session:
    """The session of this request."""
    if "session" not in g:
        g.session = Session(current_app.extensions["database"].engine(), expire_on_commit=False)
    found: Session = g.session
    return found


def init_app(app: Flask, url: URL) -> None:
    app.extensions["database"] = Database(url)
    app.teardown_appcontext(_close)


def _close(_error: BaseException | None) -> None:
    if "session" in g:
        g.session.close()
