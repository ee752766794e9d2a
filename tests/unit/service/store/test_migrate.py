"""Migrations: fresh, eight at once, failing, and a schema that is past this release."""

import multiprocessing
import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, func, make_url, select
from sqlalchemy.exc import OperationalError

import store
from store import ready
from store.db import make_engine
from store.migrate import MigrateError, main, migrate
from store.models import Base, Product

HEAD = "0002"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> URL:
    text = f"sqlite:///{tmp_path / 'store.db'}"
    monkeypatch.setenv("DATABASE_URL", text)
    return make_url(text)


def newer(tmp_path: Path, revision: str, down: str, body: str, expand: bool) -> Config:
    """A later release: our migrations and one more."""
    folder = tmp_path / "newer"
    if not folder.exists():
        shutil.copytree(Path(store.__file__).with_name("migrations"), folder)
    (folder / "versions" / f"{revision}.py").write_text(
        f"from alembic import op\nrevision = '{revision}'\ndown_revision = '{down}'\n"
        f"expand = {expand}\ndef upgrade():\n    {body}\n"
    )
    return ready.alembic_config(folder)


ADD = "op.execute('CREATE TABLE later (id INTEGER)')"
NOTHING = "pass"


def test_the_tables_are_those_of_the_models(url: URL) -> None:
    assert migrate(url) == f"migrated the schema from nothing to {HEAD}"
    engine = make_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, *_: name != ready.REVISIONS.name}
        )
        assert compare_metadata(context, Base.metadata) == []
        assert connection.scalar(select(func.count()).select_from(Product)) == 41
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()
    ready.check()


def test_eight_at_once_migrate_once(url: URL) -> None:
    with multiprocessing.get_context("fork").Pool(8) as pool:
        said = pool.map_async(migrate, [url] * 8, chunksize=1).get(timeout=60)
    assert sorted(text.split()[0] for text in said) == ["migrated"] + ["nothing"] * 7


def test_before_the_migration_it_is_not_ready(url: URL, tmp_path: Path) -> None:
    with pytest.raises(ready.NotReady, match="there is no database yet"):
        ready.check()
    assert not (tmp_path / "store.db").exists()
    (tmp_path / "store.db").touch()
    with pytest.raises(ready.NotReady, match=f"at nothing, this release expects {HEAD}"):
        ready.check()


def test_past_head_by_expand_is_ready_and_needs_nothing(url: URL, tmp_path: Path) -> None:
    migrate(url)
    assert migrate(url, newer(tmp_path, "0003", HEAD, ADD, expand=True)).endswith("to 0003")
    assert migrate(url, newer(tmp_path, "0004", "0003", NOTHING, expand=True)).endswith("to 0004")
    ready.check()
    assert migrate(url).startswith("nothing to do: the schema is at 0004")


def test_past_head_by_more_is_refused_by_name(url: URL, tmp_path: Path) -> None:
    migrate(url)
    migrate(url, newer(tmp_path, "0003", HEAD, ADD, expand=False))
    migrate(url, newer(tmp_path, "0004", "0003", NOTHING, expand=True))
    # A rollback that asks does not wait for it.
    with pytest.raises(ready.NeverReady, match="past this release by 0003, not declared expand"):
        ready.check()
    with pytest.raises(MigrateError, match="0003"):
        migrate(url)


def test_a_revision_that_nobody_recorded_is_refused(url: URL) -> None:
    migrate(url)
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'strange'")
    engine.dispose()
    with pytest.raises(ready.NotReady, match="at strange, which this release does not know"):
        ready.check()


def test_a_revision_beside_ours_is_not_past_it(url: URL, tmp_path: Path) -> None:
    """Another branch's release: it has its 0003 on our first revision, and never had our head."""
    beside = newer(tmp_path, "0003", "0001", ADD, expand=True)
    (tmp_path / "newer" / "versions" / "0002_catalogue.py").unlink()
    migrate(url, beside)
    with pytest.raises(ready.NotReady, match="at 0003, which this release does not know"):
        ready.check()


def test_a_failing_migration_leaves_the_old_schema(url: URL, tmp_path: Path) -> None:
    migrate(url)
    body = f"{ADD}; op.execute('not SQL')"
    with pytest.raises(OperationalError):
        migrate(url, newer(tmp_path, "0003", HEAD, body, expand=True))
    ready.check()
    engine = make_engine(url)
    with engine.connect() as connection:
        assert ready.read_schema(connection, ready.alembic_config()).current == HEAD
        assert not connection.exec_driver_sql("PRAGMA table_info(later)").all()
    engine.dispose()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("sqlite:////no/such/folder/store.db", "unable to open database file"),
        ("nonsense", "DATABASE_URL is not a database URL"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(
    value: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", value)
    assert main() == 1
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert words in said.err


def test_the_command_says_what_it_did(url: URL, capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    assert capsys.readouterr().out == f"migrated the schema from nothing to {HEAD}\n"
