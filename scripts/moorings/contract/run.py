"""One run of the contract: on what, which checks; pytest is the engine."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from moorings import deployment, targets, ui
from moorings.contract import registry
from moorings.contract.column import Column, Live, Own
from moorings.contract.outcome import Limit, Verdict
from moorings.contract.registry import Check
from moorings.contract.report import Record
from moorings.contract.site import Yard
from moorings.contract.size import Size
from moorings.contract.tamper import HEALTHY, Tamper
from moorings.contract.wire import WireError, ask
from moorings.errors import MoorError, NotReadyError, UsageError

ROOT = Path(__file__).resolve().parents[3]
REPORTS = ROOT / "reports"

#: What CI asks of each further column of a target. The ledger is of a reload, a deploy and a stop
#: under load, and no request of it may fail.
PARTIAL = ("serve", "drain", "trace.ledger")


@dataclass(frozen=True)
class Run:
    """What is asked for; `column` makes it something that checks can run on."""

    target: str = ""
    flags: Mapping[str, object] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    """Ids of checks, or of groups of them; none: all."""
    quick: bool = False
    url: str = ""
    jaeger: str = ""
    tamper: Tamper = HEALTHY
    full: bool = False

    def __str__(self) -> str:
        return "-".join([self.target or self.url, *map(str, self.flags.values())])

    def checks(self) -> list[Check]:
        """Return the checks that are asked for.

        :raises UsageError: for an id that no check has.
        """
        return registry.choose(registry.load(), self.only, self.quick)

    def column(self) -> Column:
        """Return the column. Nothing is started before a check asks for it."""
        if self.url:
            return remote(self.url, self.jaeger)
        return self._live() if self.quick else self._own()

    def repeat(self, check: str) -> str:
        """Return the command that repeats one check alone."""
        if self.url:
            jaeger = f" --jaeger {self.jaeger}" if self.jaeger else ""
            return f"./moor check --url {self.url}{jaeger} --only {check}"
        flags = [word for key, value in self.flags.items() for word in ("--set", f"{key}={value}")]
        size = ["--quick"] * self.quick + ["--full"] * self.full
        return shlex.join(["./moor", "check", self.target, *flags, *size, "--only", check])

    def _live(self) -> Live:
        made = deployment.open(ROOT, os.environ, self.flags, self.target, looks_only=True)
        if not made.target.endpoints().app:
            hint = f"./moor deploy {self.target}"
            raise NotReadyError(f"nothing runs on {self.target} that could be asked", hint=hint)
        name, limits = made.target.column, _limits(self.target)
        return Live(name, self.target, Size.QUICK, limits=limits, deployment=made)

    def _own(self) -> Own:
        yard = Yard(self.target, ROOT, os.environ, self.flags, self.tamper)
        yard.require()
        yard.sweep()
        name, limits = yard.plain.target.column, _limits(self.target)
        size = Size.FULL if self.full else Size.CI
        return Own(name, self.target, size, limits=limits, yard=yard)


def of_target(name: str, *only: str) -> tuple[Run, ...]:
    """Return what CI runs on a target: the core of the contract on each of its columns.

    :param only: checks on the first column; none: all.
    """
    own = [flags for target, flags in targets.columns().values() if target == name]
    return (Run(name, own[0], only), *(Run(name, flags, PARTIAL) for flags in own[1:]))


def _limits(target: str) -> Mapping[str, Limit]:
    module = import_module(f"{targets.__name__}.{targets.check(target)}")
    limits: Mapping[str, Limit] = getattr(module, "LIMITS", {})
    return limits


def remote(url: str, jaeger: str) -> Column:
    """Return a column of which only the address is known, and see what it has."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--url {url}: should be http://HOST or https://HOST", hint="with a port")
    try:
        version = ask(f"{url.rstrip('/')}/version")
    except WireError as problem:
        raise MoorError(f"{url}: {problem.fact}", hint="is it up, and is the port right?") from None
    has = {"runtime"} if version.status == 200 and b'"release"' in version.body else set()
    has |= {"traces"} if jaeger else set()
    name = f"url-{parts.netloc.replace(':', '-')}"
    return Column(name, "", Size.QUICK, frozenset(has), address=url.rstrip("/"), jaeger=jaeger)


class Plugin:
    """Hands a run to the suite, and its record back."""

    def __init__(self, run: Run, column: Column, reports: Path) -> None:
        """Keep what is asked for, on what, and the folder of the reports."""
        self.run = run
        self.column = column
        self.reports = reports
        self.record: Record | None = None
        self.errors: list[str] = []

    def pytest_configure(self, config: pytest.Config) -> None:
        """Leave it where the suite's fixture looks."""
        config.stash[PLUGIN] = self

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what failed around a check: it is a bug of the suite, not of the deployment."""
        if report.failed and report.when != "call":
            self.errors.append(report.longreprtext)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what failed before the checks."""
        if report.failed:
            self.errors.append(report.longreprtext)


PLUGIN = pytest.StashKey[Plugin]()


def check(run: Run, reports: Path = REPORTS) -> int:
    """Run the checks, show each as it ends and a table of all; return the exit status.

    :param reports: folder of the JSON and JUnit reports.
    :raises MoorError: for an unknown check or target, or where there is nothing to ask.
    """
    run.checks()
    plugin = Plugin(run, run.column(), reports)
    status = pytest.main(_arguments(reports), plugins=[plugin])
    if status == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    for error in plugin.errors:
        ui.err.print(error[-3000:], markup=False)
    if plugin.record is not None and status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        _show(plugin.record, run, reports)
    return int(status)


def _arguments(reports: Path) -> list[str]:
    # Its own terminal output is off: the suite shows a line per check, as they end.
    quiet = ["-p", "no:terminal", "-p", "no:cacheprovider", "--disable-plugin-autoload"]
    suite = str(Path(__file__).with_name("suite.py"))
    where = ["-c", str(ROOT / "pyproject.toml"), "--import-mode=importlib"]
    # The settings of the project's own tests are not those of a command.
    plain = ["-o", "addopts=", "-o", "filterwarnings=default"]
    return [*quiet, *where, *plain, f"--junitxml={reports / 'contract.xml'}", suite]


def _show(record: Record, run: Run, reports: Path) -> None:
    for verdict in record.verdicts:
        if verdict.outcome == "fail":
            ui.say(f"\n{explained(verdict, run)}")
    ui.say()
    ui.out.print(record.table())
    name = record.name
    (reports / "contract.xml").replace(reports / f"{name}.xml")
    ui.say(f"\nreports: {reports / name}.json, .xml")


def explained(verdict: Verdict, run: Run) -> str:
    """Return all that is known of a failure, and the command to repeat it."""
    head = f"{verdict.id}: {verdict.reason}"
    return "\n".join([head, verdict.details.rstrip(), f"Repeat: {run.repeat(verdict.id)}"])
