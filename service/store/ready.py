"""What "ready" means for the store: the schema is one that this release can run on."""

from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from store import schema
from store.db import make_engine
from store.settings import database_url


class NotReady(Exception):
    """Says in one sentence what is missing."""


def check() -> None:
    """Raise NotReady unless the schema is at head, or past it only by `expand` revisions."""
    url = database_url()
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        # Connecting would make an empty file.
        raise NotReady("there is no database yet; run python -m store.migrate")
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            found = schema.read(connection)
    except SQLAlchemyError as error:
        raise NotReady(f"the database does not answer ({type(error).__name__})") from error
    finally:
        engine.dispose()
    _judge(found)


def _judge(found: schema.Schema) -> None:
    if found.refusal:
        raise NotReady(found.refusal)
    if found.behind:
        raise NotReady(
            f"the schema is at {found.current or 'nothing'}, this release expects {found.head}; "
            "run python -m store.migrate"
        )
