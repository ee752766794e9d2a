"""What counts as refused of what the app's role asks of the database."""

from typing import cast

import pytest

from moorings.contract.checks.roles import refused
from moorings.contract.outcome import CheckFailed
from moorings.errors import CommandError
from moorings.target import Database


class Careful:
    """A database past the app that refuses each change of these words, and why."""

    def __init__(self, why: str, *words: str) -> None:
        self._why, self._words = why, words

    def rows(self, query: str) -> list[list[str]]:
        if any(word in query for word in self._words):
            raise CommandError("PostgreSQL refuses a query", log=f"ERROR:  {self._why}")
        return [["BEGIN"], ["ROLLBACK"]]


DROP = "DROP TABLE orders CASCADE"


def test_what_the_app_may_not_do_is_refused_for_want_of_a_right() -> None:
    refused(cast(Database, Careful("must be owner of table orders", DROP)), DROP)
    with pytest.raises(CheckFailed, match=r"DROP TABLE orders CASCADE: ERROR: .* not there"):
        refused(cast(Database, Careful("orders is not there", DROP)), DROP)
    with pytest.raises(CheckFailed, match="role app may do this: DROP TABLE orders CASCADE"):
        refused(cast(Database, Careful("")), DROP)
