"""PostgreSQL of a Compose project, past the app: its rows, its process, its restart."""

import json
from dataclasses import dataclass

from moorings.errors import CommandError
from moorings.services.compose import BEYOND, Project
from moorings.services.containers import Container
from moorings.target import Need

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


def place(project: Project, wanted: str) -> Need:
    """Want PostgreSQL's data to be where the settings have it: nothing moves them by itself.

    :param wanted: a folder of this host; empty: a volume of the engine.
    """
    now = folder(project)
    if now is None:
        # There are none yet.
        return Need("", True, "")
    what = f"PostgreSQL's data are in {_named(now)}, and docker.data says {_named(wanted)}"
    how = ("set docker.data as it was; or dump them there, ./moor down docker --volumes, deploy, "
           "and restore them")  # fmt: skip
    return Need(what, now == wanted, how)


def folder(project: Project) -> str | None:
    """Return the folder of this host that PostgreSQL's data are in.

    :returns: empty: a volume of the engine; None: there are none that the engine knows.
    """
    name = f"{project.name}_orders"
    said = project.engine.ask("volume", "inspect", "--format", "{{json .Options}}", name)
    if said.status != 0:
        return None
    return str((json.loads(said.output) or {}).get("device", ""))


def _named(folder: str) -> str:
    return folder or "a volume of the engine"
