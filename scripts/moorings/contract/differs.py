"""Where a run sees something else than the report of docs/grid: one of the two is out of date."""

from dataclasses import dataclass
from pathlib import Path

from moorings.contract import kept
from moorings.contract.column import Column
from moorings.contract.outcome import Verdict


@dataclass(frozen=True)
class Committed:
    """The outcomes that the committed report of a column has; its size may be another."""

    column: Column
    grid: Path

    @property
    def _outcomes(self) -> dict[str, str]:
        # The reports are on the sample: another app may lack what its checks need.
        report = kept.of(self.column.name, self.grid) if "store" in self.column.has else {}
        return {entry["id"]: entry["outcome"] for entry in report.get("checks", ())}

    @property
    def name(self) -> str:
        """The report, as the repository names it."""
        return f"docs/grid/{self.column.name}.json"

    def lacks(self, verdict: Verdict) -> bool:
        """Tell whether there is a report, and this check is younger: that is no difference."""
        return bool(self._outcomes) and verdict.id not in self._outcomes

    def difference(self, verdict: Verdict) -> str:
        """Return in words how an outcome differs from the report; empty: it does not."""
        said = self._outcomes.get(verdict.id, verdict.outcome)
        # What is not asked for want of a tool says nothing; where it must be asked, it fails.
        if verdict.outcome == "skip" or said == verdict.outcome or self._may(verdict, said):
            return ""
        fact = f"{verdict.id} is {verdict.outcome} here and {said} in {self.name}"
        return f"{fact}; where this is right: ./moor prove {self.column.name} && make grid"

    def _may(self, verdict: Verdict, said: str) -> bool:
        """Tell whether it is a known limit that shows now and then."""
        limit = self.column.limit(verdict.id)
        rare = limit is not None and not limit.always
        return rare and {verdict.outcome, said} == {"pass", "limit"}
