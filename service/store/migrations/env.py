"""Alembic's own entry; `store.migrate` hands over a connection that holds the lock."""

from alembic import context

from store.migrate import record
from store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    on_version_apply=record,
)
context.run_migrations()
