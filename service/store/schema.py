"""How far the database's schema is, against what this release expects."""

from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Boolean, Column, Connection, MetaData, String, Table, inspect, select

# Alembic keeps only the newest revision. An older release that meets it must know the way
# there, and whether it can live with it, without having the files of the newer one.
REVISIONS = Table(
    "schema_revisions",
    MetaData(),
    Column("revision", String(32), primary_key=True),
    Column("down_revision", String(32)),
    Column("expand", Boolean, nullable=False),
)


@dataclass(frozen=True)
class Schema:
    """`past` are the revisions beyond ours, newest first; True where one only adds."""

    current: str | None
    head: str
    past: dict[str, bool]
    strange: bool = False

    @property
    def refusal(self) -> str:
        """Why this release cannot run on a schema that is past it; empty if it can."""
        if self.strange:
            return f"the schema is at {self.current}, which this release does not know"
        breaking = [revision for revision, expand in self.past.items() if not expand]
        names = ", ".join(breaking)
        return f"the schema is past this release by {names}, not declared expand" if names else ""

    @property
    def behind(self) -> bool:
        return self.current != self.head and not self.past and not self.strange


def alembic_config(migrations: Path | None = None) -> Config:
    config = Config()
    folder = str(migrations or Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    return config


def read(connection: Connection, config: Config | None = None) -> Schema:
    script = ScriptDirectory.from_config(config or alembic_config())
    head = script.get_current_head() or ""
    current = MigrationContext.configure(connection).get_current_revision()
    known = {revision.revision for revision in script.walk_revisions()}
    if current is None or current in known:
        return Schema(current, head, {})
    past = _way(connection, current, head)
    return Schema(current, head, past or {}, strange=past is None)


def _way(connection: Connection, current: str, head: str) -> dict[str, bool] | None:
    """The recorded revisions from `current` down to `head`; None where there is no such way."""
    if not inspect(connection).has_table(REVISIONS.name):
        return None
    recorded = {row.revision: row for row in connection.execute(select(REVISIONS))}
    way: dict[str, bool] = {}
    step = current
    while step != head:
        if step not in recorded or step in way:
            return None
        way[step] = recorded[step].expand
        step = recorded[step].down_revision or ""
    return way
