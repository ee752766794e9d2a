"""What the engine and PostgreSQL refuse, in words of moor: the fact, and the next step."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from moorings.errors import CommandError


@dataclass(frozen=True)
class Refusal:
    """One thing that can be in the way."""

    shows: str
    """What is then said, as a regular expression; its groups are named in the fact."""
    fact: str
    hint: str


REFUSALS = (
    Refusal(
        r"no space left on device",
        "the disk of the Docker engine is full",
        "docker system df shows what fills it; free some, then try again",
    ),
    Refusal(
        r"(?:bind for|listen tcp\d?) (?P<at>\S+:\d+)[^\n]*already (?:allocated|in use)",
        "{at} is taken by another program",
        "end that program, or choose another port: PORT=, or server.port",
    ),
    Refusal(
        r"exec format error|no match for platform in manifest|no matching manifest for",
        "an image is of another architecture than this engine",
        "build or load it for this machine; docker image inspect shows its Architecture",
    ),
    Refusal(
        r"initialized by PostgreSQL version (?P<old>\d+)[^\n]*this version (?P<new>\d+)",
        "the volume is of PostgreSQL {old}, the image is PostgreSQL {new}",
        "set an image of that version (POSTGRES_IMAGE); or dump it there and restore it here",
    ),
    Refusal(
        r'password authentication failed for user "(?P<role>\w+)"',
        "PostgreSQL knows other passwords than the folder of secrets has",
        "put the folder back as it was; ./moor down docker --volumes gives both up, and the orders",
    ),
    Refusal(
        r"network (?P<name>\S+) declared as external, but could not be found",
        "there is no network {name}",
        "docker network ls lists those that there are; docker.network names one",
    ),
    Refusal(
        r"network (?P<name>\S+) not found",
        "the network {name} is gone",
        "./moor down docker removes what is left of it and keeps the data; then deploy",
    ),
)


def of(text: str, refusals: Iterable[Refusal]) -> tuple[str, str] | None:
    """Return the fact and the next step of the first refusal that a text shows; None: of none."""
    for one in refusals:
        found = re.search(one.shows, text, re.IGNORECASE)
        if found is not None:
            return one.fact.format(**found.groupdict()), one.hint
    return None


def explained(problem: CommandError, said: str = "") -> CommandError:
    """Return the same in words of moor, where it is known; else as it is.

    :param said: what the containers concerned have logged, also long ago: it is heard where the
        client itself names no cause.
    """
    for text in (f"{problem.fact}\n{problem.log}", said):
        known = of(text, REFUSALS)
        if known is not None:
            return CommandError(known[0], hint=known[1], log=problem.log or said)
    return CommandError(problem.fact, hint=problem.hint, log=f"{problem.log}\n{said}".strip())
