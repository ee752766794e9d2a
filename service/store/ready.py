"""What "ready" means for the store: the schema is one that this release can run on."""

from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Boolean, Column, Connection, MetaData, String, Table, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from store.db import make_engine
from store.settings import database_url

MIGRATIONS = Path(__file__).with_name("migrations")
# Alembic keeps only the newest revision. An older release that meets it must know what came
# after its own, and whether it can live with that, without having the files of the newer one.
REVISIONS = Table(
    "schema_revisions",
    MetaData(),
    Column("revision", String(32), primary_key=True),
    Column("expand", Boolean, nullable=False),
)


class NotReady(Exception):
    """Says in one sentence what is missing."""


class NeverReady(NotReady):
    """Says why this release cannot run on this database, however long it waits."""

    permanent = True


@dataclass(frozen=True)
class Schema:
    """`refusal` says why this release cannot run on a schema that is past it."""

    current: str | None
    head: str
    behind: bool = False
    refusal: str = ""


def check() -> None:
    """Raise NotReady unless the schema is at head, or past it only by `expand` revisions."""
    url = database_url()
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        # Connecting would make an empty file.
        raise NotReady("there is no database yet; run python -m store.migrate")
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            _judge(read_schema(connection, alembic_config()))
    except SQLAlchemyError as error:
        raise NotReady(f"the database does not answer ({type(error).__name__})") from error
    finally:
        engine.dispose()


def _judge(found: Schema) -> None:
    if found.refusal:
        raise NeverReady(found.refusal)
    if found.behind:
        raise NotReady(
            f"the schema is at {found.current or 'nothing'}, this release expects {found.head}; "
            "run python -m store.migrate"
        )


def alembic_config(migrations: Path = MIGRATIONS) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    return config


def read_schema(connection: Connection, config: Config) -> Schema:
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head() or ""
    known = {revision.revision for revision in script.walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None or current in known:
        return Schema(current, head, behind=current != head)
    return Schema(current, head, refusal=_refusal(connection, current, head, known))


def _refusal(connection: Connection, current: str, head: str, known: set[str]) -> str:
    applied: dict[str, bool] = {}
    if inspect(connection).has_table(REVISIONS.name):
        applied = {row.revision: row.expand for row in connection.execute(select(REVISIONS))}
    if not {current, head} <= applied.keys():
        return f"the schema is at {current}, which this release does not know"
    names = ", ".join(name for name in applied if name not in known and not applied[name])
    return f"the schema is past this release by {names}, not declared expand" if names else ""
