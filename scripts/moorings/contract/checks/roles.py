"""data.roles: what the app may do to its database, by the role that it comes as."""

from moorings.contract import wire
from moorings.contract.column import Column
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.registry import check
from moorings.errors import CommandError
from moorings.target import Database, Keeps

#: The role of the app, and by whom its connections were made. Of a session of another role who
#: asks sees the name alone, and not of which kind it is; what is no client's has no database.
APP_ROLE = "app"
SESSIONS = """SELECT DISTINCT usename FROM pg_stat_activity
  WHERE datname = current_database() AND usename IS NOT NULL AND pid <> pg_backend_pid()"""

#: What that role may do, and what it may not; and how PostgreSQL says so.
ALLOWED = (
    "INSERT INTO carts SELECT * FROM carts WHERE false",
    "UPDATE products SET stock = stock WHERE false",
    "DELETE FROM order_lines WHERE false",
)
FORBIDDEN = (
    "CREATE TABLE theirs (x integer)",
    "ALTER TABLE orders ADD COLUMN theirs integer",
    "DROP TABLE orders CASCADE",
    "TRUNCATE orders CASCADE",
    "CREATE SCHEMA theirs",
    "CREATE ROLE theirs",
)
NO_RIGHT = ("permission denied", "must be owner")


@check(
    "data.roles",
    proves="the app comes to the database by a role that reads and writes rows, and may make, "
    "change or drop no table, schema or role",
    needs=["store", "database"],
    control="loose containers",
)
def roles(column: Column) -> str:
    """Ask the running database, by the right that the app has, and give back what it allows."""
    assert isinstance(column.target, Keeps)
    database = column.target.database()
    wire.ask(f"{column.url}/api/products")
    found = {row[0] for row in database.rows(SESSIONS)}
    claim(found == {APP_ROLE}, f"the app comes as {', '.join(sorted(found)) or 'nobody'}")
    for what in ALLOWED:
        database.rows(f"BEGIN; {what}; ROLLBACK")
    for what in FORBIDDEN:
        refused(database, what)
    return f"{len(FORBIDDEN)} of {len(FORBIDDEN)} changes refused to {APP_ROLE}"


def refused(database: Database, what: str) -> None:
    """See that what a role may not do is refused, and for that reason."""
    try:
        database.rows(f"BEGIN; {what}; ROLLBACK")
    except CommandError as problem:
        claim(any(why in problem.log for why in NO_RIGHT), f"{what}: {problem.log.strip()}")
        return
    raise CheckFailed(f"the role {APP_ROLE} may do this: {what}")
