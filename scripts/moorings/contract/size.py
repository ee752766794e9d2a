"""The three sizes of a run, and what each means for the checks that repeat something."""

from enum import StrEnum

#: Requests before, between and after the changes of a load, so that each is met by some.
BETWEEN = 200


class Size(StrEnum):
    """How much a run does, by its name in the reports."""

    QUICK = "quick"
    """What needs no load and no restart."""
    CI = "ci"
    """As few requests and cycles as still catch each check's control."""
    FULL = "full"
    """What the committed grid is made from."""

    @property
    def cycles(self) -> int:
        """How often a check under load changes what runs."""
        return 20 if self is Size.FULL else 2

    @property
    def requests(self) -> int:
        """How many requests each event of a ledger meets at least."""
        return 5000 if self is Size.FULL else BETWEEN

    @property
    def seconds(self) -> float:
        """How long a load may last at most."""
        return 1500.0 if self is Size.FULL else 600.0
