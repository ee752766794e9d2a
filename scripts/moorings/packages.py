"""Debian's packages that a target needs: installed where moor may, and then taken away by it."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from moorings import machine, ui, users
from moorings.runner import Runner
from moorings.target import Need

#: Seconds that an installation may take.
DEADLINE = 600.0

#: What a package's own scripts ask before they start a service, and the answer "not now".
#: https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt
POLICY, NO = Path("/usr/sbin/policy-rc.d"), "#!/bin/sh\nexit 101\n"


def need(program: str, package: str, what: str = "") -> Need:
    """Return the need for a program of a package.

    :param what: the program in words, where its name does not say it.
    """
    found = find(program)
    if found:
        return Need(found, True, "")
    how = f"as root: {shlex.join(_install([package]))}"
    return Need(f"{what or program} is not installed", False, how, (package,))


def find(program: str) -> str:
    """Return the path of a program; empty where there is none."""
    # Servers are in sbin, which is not on everybody's PATH.
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    return shutil.which(program, path=path) or ""


def in_ci(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether nobody is there to be asked."""
    return environ.get("CI", "") not in ("", "0", "false")


def _install(packages: Sequence[str], options: Sequence[str] = ()) -> list[str]:
    return ["apt-get", *options, "install", "--yes", "--no-install-recommends", *packages]


@dataclass(frozen=True)
class Supply:
    """Gets what is missing, where it may: as root, and told to or in CI."""

    runner: Runner
    state: Path
    """The folder that all deployments share."""
    yes: bool = False
    """Whether nobody is to be asked; in CI nobody is."""
    root: bool = field(default_factory=users.is_root)

    def __call__(self, missing: Need) -> bool:
        """Install what a need names; tell whether that was done.

        :raises CommandError: where it could not be.
        """
        if not self._can(missing):
            return False
        if not (self.runner.dry or self.may(missing)):
            return False
        if missing.remedy is not None:
            missing.remedy()
        else:
            self.get(missing.packages)
        return True

    def _can(self, missing: Need) -> bool:
        """Tell whether moor is able to; what installs no package wants no rights of root."""
        if not missing.packages:
            return missing.remedy is not None
        return self.root and shutil.which("apt-get") is not None

    def may(self, missing: Need) -> bool:
        """Tell whether it may be installed: told so, in CI, or asked on a terminal."""
        if self.yes or in_ci():
            return True
        install = f"install {', '.join(missing.packages)}" if missing.packages else ""
        steps = ", ".join(step for step in (install, missing.offer) if step)
        question = f"{missing.what}. {steps[:1].upper()}{steps[1:]} now?"
        return sys.stdin.isatty() and click.confirm(question)

    def get(self, packages: Sequence[str], options: Sequence[str] = ()) -> None:
        """Install packages, none of which starts a service, and note how to purge them.

        :param options: of apt-get, as for another list of sources.
        :raises CommandError: with its last lines.
        """
        before = self._installed()
        try:
            with ui.working(f"Installing {', '.join(packages)}"), self._quiet():
                if self._apt(_install(packages, options), check=False) != 0:
                    self._apt(["apt-get", *options, "update"])
                    self._apt(_install(packages, options))
        finally:
            # Also what came before an installation failed or ran out of time.
            self._note(packages, sorted(self._installed() - before))

    def _note(self, packages: Sequence[str], new: Sequence[str]) -> None:
        """Write down how to purge what is new."""
        self._disable(new)
        if new and not self.runner.dry:
            undo = ["apt-get", "purge", "--yes", *new]
            machine.remember(self.state, machine.Item("package", " ".join(packages), undo))

    def _apt(self, argv: list[str], *, check: bool = True) -> int:
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        return self.runner.run(argv, timeout=DEADLINE, env=env, check=check).status

    def _installed(self) -> set[str]:
        if self.runner.dry:
            return set()
        argv = ["dpkg-query", "--show", "--showformat", "${db:Status-Abbrev} ${Package}\n"]
        listed = self.runner.run(argv, timeout=60, quiet=True).output.splitlines()
        return {line.split()[1] for line in listed if line.startswith("ii ")}

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Let no package start a service of its own."""
        ours = not self.runner.dry and not POLICY.exists()
        try:
            if ours:
                POLICY.write_text(NO)
                POLICY.chmod(0o755)
            yield
        finally:
            if ours:
                POLICY.unlink(missing_ok=True)

    def _disable(self, packages: Sequence[str]) -> None:
        """Nor at the next boot."""
        for name in packages:
            if Path("/etc/init.d", name).exists():
                self.runner.run(["update-rc.d", name, "disable"], timeout=60)
