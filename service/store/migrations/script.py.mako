"""${message}"""

from alembic import op

revision = "${up_revision}"
down_revision = ${repr(down_revision)}
# True where the release before this one still works on the new schema (only additions).
expand = False


def upgrade() -> None:
    ...
