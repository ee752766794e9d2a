"""How a check speaks: pass, fail, limit, n/a or skip; a figure, and the reason."""

import os
import re
import time
import traceback
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

from moorings.contract.registry import NEEDS, Check
from moorings.errors import BuildError, MoorError, NeedError

if TYPE_CHECKING:
    from moorings.contract.column import Column

Outcome = Literal["pass", "fail", "limit", "n/a", "skip"]


class Describes(Protocol):
    """An answer that can show itself and its request."""

    def describe(self) -> str:
        """Return the request and the answer, in a few lines."""


class CheckFailed(MoorError):
    """A claim was refuted; keeps the request and the answer that did it."""

    def __init__(self, fact: str, answer: Describes | None = None, *, hint: str = "") -> None:
        """Keep the fact, and the exchange that shows it."""
        super().__init__(fact, hint=hint)
        self.exchange = answer.describe() if answer is not None else ""


class Skipped(MoorError):
    """A tool is missing; names it."""


def claim(holds: bool, fact: str, answer: Describes | None = None) -> None:
    """Go on if it holds.

    :param fact: what is the case where it does not.
    :raises CheckFailed: where it does not.
    """
    if not holds:
        raise CheckFailed(fact, answer)


@dataclass(frozen=True)
class Limit:
    """A known limit that a target declares, in its module's `LIMITS`, by the check's id."""

    cause: str
    source: str
    """Where the cause is explained: a link."""
    condition: str
    """When it shows, in words."""
    shows: str
    """What the check then says, as a regular expression: anything else is a failure."""
    columns: frozenset[str] = frozenset()
    """Where the condition holds; empty: on every column of the target."""
    always: bool = True
    """Whether the check provokes it every time; then its absence is an error."""


@dataclass(frozen=True)
class Verdict:
    """What came of one check on one column."""

    id: str
    outcome: Outcome
    figure: str = ""
    seconds: float = 0.0
    reason: str = ""
    details: str = ""
    """What a person needs to understand a failure; not part of the report."""
    broke: bool = False
    """Whether the check itself came to no verdict: a tool is missing, or it has a bug."""

    @property
    def red(self) -> bool:
        """Tell whether a control has caught something: a known limit counts."""
        return self.outcome in ("fail", "limit") and not self.broke


def judge(check: Check, column: "Column", *, ci: bool | None = None) -> Verdict:
    """Run a check and say what came of it. Only Ctrl-C and the like pass through.

    :param ci: whether a missing tool is an error; by default as the environment says.
    """
    if lacking := sorted(check.needs - column.has):
        needs = "; ".join(NEEDS[need] for need in lacking)
        return Verdict(check.id, "n/a", reason=f"needs {needs}")
    began = time.monotonic()
    verdict = _attempt(check, column, _ci() if ci is None else ci)
    return replace(verdict, seconds=time.monotonic() - began)


def _ci() -> bool:
    return os.environ.get("CI", "") not in ("", "0", "false")


def _attempt(check: Check, column: "Column", ci: bool) -> Verdict:
    limit = column.limit(check.id)
    made = partial(Verdict, check.id)
    try:
        figure = check.run(column)
    except Skipped as missing:
        what = f"skipped: {missing.fact}"
        return made("fail" if ci else "skip", reason=what, details=missing.hint, broke=True)
    except Exception as problem:
        reason, details = _explain(problem)
        known_to_fail = limit is not None and re.search(limit.shows, reason)
        if limit is not None and known_to_fail and isinstance(problem, CheckFailed):
            known = f"{limit.cause} ({limit.source})"
            return made("limit", reason, reason=known, details=details)
        broke = not isinstance(problem, MoorError) or isinstance(problem, (NeedError, BuildError))
        return made("fail", reason=reason, details=details, broke=broke)
    if limit is not None and limit.always:
        gone = f"the known limit no longer occurs: {limit.cause}"
        hint = "take it out of the target's LIMITS and README"
        return made("fail", figure, reason=gone, details=hint)
    return made("pass", figure)


def _explain(problem: Exception) -> tuple[str, str]:
    """Return the fact in one line, and what else is known. A bug shows its traceback."""
    if not isinstance(problem, MoorError):
        return f"{type(problem).__name__}: {problem}", "".join(traceback.format_exception(problem))
    exchange = problem.exchange if isinstance(problem, CheckFailed) else ""
    parts = (exchange, problem.log, problem.hint)
    return problem.fact, "\n".join(part for part in parts if part)
