"""Alembic's own entry; `store.migrate` hands over a connection that holds the lock."""

from typing import Any

from alembic import context
from sqlalchemy import insert

from store.models import Base
from store.ready import REVISIONS


def record(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:
    """Note a revision that was just applied, and whether its file declares it `expand`."""
    script = step.up_revision
    expand = bool(getattr(script.module, "expand", False))
    ctx.connection.execute(insert(REVISIONS).values(revision=script.revision, expand=expand))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    on_version_apply=record,
)
context.run_migrations()
