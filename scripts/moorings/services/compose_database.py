"""PostgreSQL of a Compose project, past the app: its rows, its process, its restart."""

from dataclasses import dataclass

from moorings.errors import CommandError
from moorings.services.compose import BEYOND, Project
from moorings.services.containers import Container

#: What separates two values of a row; no text of the sample has it.
BETWEEN = "\x1f"

#: Seconds that it may take to end: those of compose.yaml.
ENDS = 60


@dataclass(frozen=True)
class ComposeDatabase:
    """Asks the container of PostgreSQL."""

    project: Project

    def rows(self, query: str) -> list[list[str]]:
        """Return what a query finds, by the role that may only read and write rows.

        :raises CommandError: with what PostgreSQL says.
        """
        found = self._container()
        argv = ["exec", "--env", "PGOPTIONS=-c role=app", found.id, "psql", "--no-psqlrc",
                "--tuples-only", "--no-align", "--field-separator", BETWEEN,
                "--username", "postgres", "--dbname", "shop", "--command", query]  # fmt: skip
        said = self.project.engine.ask(*argv)
        if said.status != 0:
            raise CommandError("PostgreSQL refuses a query", log=said.output)
        return [line.split(BETWEEN) for line in said.output.splitlines()]

    def process(self) -> int:
        """Return the first process of its container, by its number here; 0: it does not run."""
        found = self.project.find("postgres")
        return found.pid if found is not None and found.runs else 0

    def restart(self) -> None:
        """Stop it in order, start it again, and wait until it answers."""
        found = self._container()
        words = ("restart", "--time", str(ENDS), found.id)
        self.project.engine.do(*words, timeout=ENDS + BEYOND)

    def _container(self) -> Container:
        found = self.project.find("postgres")
        if found is None or not found.runs:
            raise CommandError("the container of PostgreSQL does not run", hint="see its log")
        return found
