import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import make_url
from sqlalchemy.orm import Session

from store import create_app
from store.db import Database
from store.migrate import migrate
from store.settings import Settings


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "store.db"
    migrate(make_url(f"sqlite:///{path}"))
    return path


@pytest.fixture
def settings(migrated: Path, tmp_path: Path) -> Settings:
    """A database of its own for each test, without migrating each time."""
    shutil.copy(migrated, tmp_path / "store.db")
    return Settings(make_url(f"sqlite:///{tmp_path / 'store.db'}"), secret_key="only for tests")


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    made = create_app(settings)
    yield made
    made.extensions["database"].engine().dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    database: Database = app.extensions["database"]
    with Session(database.engine(), expire_on_commit=False) as opened:
        yield opened
