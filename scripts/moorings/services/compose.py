"""The Compose project of one deployment: its variables, its containers, its commands."""

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moorings.errors import CommandError, MoorError
from moorings.services import refusals
from moorings.services.containers import Container
from moorings.services.engine import Engine
from moorings.target import Release

COLOURS = ("blue", "green")
BLUE, GREEN = COLOURS

#: Seconds that containers may take to start, and beyond its grace period to stop.
START, BEYOND = 180.0, 30.0

#: CPUs of the app at most; the engine refuses more than there are.
CPUS = 2

#: Variables that have a value only where the gateway's address is known; a shell may export them.
ADDRESS = frozenset({"HOST", "PORT", "INNER_PORT"})

#: The parts whose files containers mount one by one, and the variable of compose.yaml for each.
MOUNTED = {"postgres": "POSTGRES_FILES", "jaeger": "JAEGER_CONFIG"}

#: What names more files than compose.yaml.
LAYERS = "mend the file: docker.layers (LAYERS) names those that are over compose.yaml"

#: The layer by which Jaeger keeps its traces on disk.
BADGER = "compose.jaeger-badger.yaml"

#: Folder of what it is made of, in the checkout.
FILES = Path("deploy/docker")


@dataclass(frozen=True)
class Project:
    """Runs compose.yaml for one deployment."""

    engine: Engine
    settings: Mapping[str, str]
    """Its variables: ports, images."""
    layers: Sequence[Path] = ()
    """More files of Compose, each over those before it."""

    @property
    def name(self) -> str:
        """The deployment's, so that two checkouts never meet."""
        return f"moorings-{self.engine.layout.name}"

    @property
    def home(self) -> Path:
        """Its folder on this host."""
        return self.engine.layout.home / "compose"

    @property
    def flags(self) -> Path:
        """Folder of the flags, which the gateway reads."""
        return self.home / "flags"

    @property
    def gateway(self) -> Path:
        """File of what the gateway is told, beside copies of the repository's own files."""
        return self.home / "gateway" / "local.conf"

    def prepare(self) -> None:
        """Make its folder, its copies of files, and its secrets at first use."""
        if self.engine.runner.dry:
            return
        self.flags.mkdir(parents=True, exist_ok=True)
        for part in MOUNTED:
            self._copy(part)
        make = str(self.engine.layout.root / FILES / "secrets.sh")
        self.engine.runner.run([make, str(self.home / "secrets")], timeout=10, quiet=True)

    def _copy(self, part: str) -> None:
        folder = self._folder(part)
        if folder == self._part(part):
            return
        folder.mkdir(exist_ok=True)
        for file in _files(self._part(part)):
            # Not with its mode.
            shutil.copyfile(file, folder / file.name)

    def _folder(self, part: str) -> Path:
        """Return where containers have the files of a part from: copies where the umask of who
        cloned keeps their users from the checkout's own."""
        mine = self._part(part)
        shown = all(file.stat().st_mode & stat.S_IROTH for file in _files(mine))
        return mine if shown else self.home / part

    def _part(self, part: str) -> Path:
        return self.engine.layout.root / "deploy" / "parts" / part

    def do(self, *words: str, timeout: float = START) -> str:
        """Run a command of Compose, printed; return its output.

        Its variables are in a file, so that it can be repeated by hand.

        :raises CommandError: with its last lines.
        """
        given = self._give()
        try:
            return self.engine.do(
                *self._argv(self._file), *words, timeout=timeout, hidden=given
            ).output
        except CommandError as problem:
            raise refusals.explained(problem, self._ended() if "up" in words else "") from None

    def _give(self) -> set[str]:
        """Write the variables down; return the names of those that no shell is to set."""
        given = {**self.settings, **self._own()}
        if not self.engine.runner.dry:
            self._file.touch(mode=0o600)
            self._file.write_text(_lines(given))
        return given.keys() | ADDRESS

    def wanted(self) -> dict[str, Any]:
        """Return each service as Compose would make it now.

        :raises CommandError: with its last lines, as of a layer that is no YAML.
        """
        given = self._give()
        argv = self._argv(self._file)
        said = self.engine.ask(*argv, "config", "--format", "json", hidden=given)
        if said.status != 0:
            raise CommandError("Compose refuses its files", log=said.output, hint=LAYERS)
        # What it prints is a file of Compose once more, where this sign is doubled.
        found: dict[str, Any] = json.loads(said.output.replace("$$", "$"))["services"]
        return found

    def refused(self) -> str:
        """Return what Compose says against its files, before anything is made; empty: nothing."""
        given = {**self.settings, **self._own()}
        with tempfile.NamedTemporaryFile("w", prefix="moorings-", suffix=".env") as file:
            file.write(_lines(given))
            file.flush()
            argv = self._argv(Path(file.name))
            hidden = given.keys() | ADDRESS
            said = self.engine.ask(*argv, "config", "--quiet", hidden=hidden, both=True)
        return "" if said.status == 0 else said.output.strip()

    def _ended(self) -> str:
        """Return the newest log lines of what ails, as the client names no cause."""
        ids = [one.id for one in self.containers() if one.ails]
        argv = ("logs", "--tail", "10")
        return "".join(self.engine.ask(*argv, one, both=True).output for one in ids)

    @property
    def _file(self) -> Path:
        return self.home / "compose.env"

    def _argv(self, variables: Path) -> list[str]:
        first = self.engine.layout.root / FILES / "compose.yaml"
        return [
            "compose", "--project-name", self.name, "--env-file", str(variables),
            *(word for file in (first, *self.layers) for word in ("--file", str(file))),
        ]  # fmt: skip

    def _own(self) -> dict[str, str]:
        own = {
            "SECRETS": str(self.home / "secrets"),
            "FLAGS": str(self.flags),
            "GATEWAY_FILES": str(self.gateway.parent),
            "GATEWAY_CONF": str(self.gateway),
            "JAEGER_FILES": digest(*self._of_jaeger()),
            **{name: str(self._folder(part)) for part, name in MOUNTED.items()},
            "CPUS": str(min(CPUS, os.cpu_count() or 1)),
        }
        for service in (*COLOURS, "migration"):
            own |= self.variables(service)
        return own

    def _of_jaeger(self) -> list[str]:
        on_disk = any(file.name == BADGER for file in self.layers)
        names = ["jaeger.yaml", *(["badger.yaml"] if on_disk else [])]
        files = [self._part("jaeger") / name for name in names]
        return [file.read_text() for file in files if file.exists()]

    def variables(self, colour: str) -> dict[str, str]:
        """Return the variables of a colour as it was started last."""
        try:
            kept: dict[str, str] = json.loads((self.home / f"{colour}.json").read_text())
        except FileNotFoundError:
            return {}
        return kept

    def give(self, colour: str, release: Release, image: str) -> None:
        """Write down what a colour is to be: its image, its label, its environment."""
        if self.engine.runner.dry:
            return
        prefix, env = colour.upper(), self.home / f"{colour}.env"
        env.touch(mode=0o600)
        env.write_text(_lines(release.env))
        kept = {f"{prefix}_IMAGE": image, f"{prefix}_ENV": str(env),
                f"{prefix}_RELEASE": release.label}  # fmt: skip
        (self.home / f"{colour}.json").write_text(json.dumps(kept))

    def containers(self) -> list[Container]:
        """Return all of the project's, running or not; none where none was ever made here.

        :raises NeedError: where some were made and no engine answers: they may run all the same.
        """
        mine = f"label=com.docker.compose.project={self.name}"
        argv = ("ps", "--all", "--quiet", "--no-trunc", "--filter", mine)
        asked = self.engine.require if self.home.exists() else self._asked
        ids = asked(*argv).split()
        if not ids:
            return []
        said = self.engine.ask("inspect", *ids)
        # One may go between the two questions; the others are told all the same.
        if said.status != 0 and "no such object" not in said.output.lower():
            raise self.engine.silence(said, "inspect")
        found, _ = json.JSONDecoder().raw_decode(said.output.lstrip())
        return [Container(raw) for raw in found]

    def _asked(self, *words: str) -> str:
        said = self.engine.ask(*words)
        return said.output if said.status == 0 else ""

    def find(self, service: str) -> Container | None:
        """Return the container of a service, where there is one."""
        return next((one for one in self.containers() if one.service == service), None)

    def address(self, service: str, network: str) -> str:
        """Return where this host reaches a service.

        :raises MoorError: where it does not run.
        """
        found = self.find(service)
        address = found.address(network) if found is not None else ""
        if not address:
            raise MoorError(f"the container of {service} does not run", hint="see its log")
        return address

    def stop(self, service: str, grace: float) -> None:
        """Let a container end by itself, within its grace period."""
        found = self.find(service)
        if found is not None:
            within = str(int(grace))
            self.engine.do("stop", "--time", within, found.id, timeout=grace + BEYOND)

    def remove(self, service: str) -> None:
        """Remove a container."""
        found = self.find(service)
        if found is not None:
            self.engine.do("rm", "--force", found.id, timeout=BEYOND)

    @property
    def live(self) -> str:
        """The colour that the gateway sends clients to."""
        return GREEN if (self.flags / GREEN).exists() else BLUE

    @property
    def idle(self) -> str:
        """The other one."""
        return BLUE if self.live == GREEN else GREEN


def digest(*parts: str) -> str:
    """Return twelve digits that tell contents apart."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _files(folder: Path) -> list[Path]:
    """Return the files of a folder; none where there is none."""
    return [file for file in folder.glob("*") if file.is_file()]


def _lines(variables: Mapping[str, str]) -> str:
    """Return variables as Compose reads them from a file."""
    return "".join(f"{name}={_quoted(value)}\n" for name, value in variables.items())


def _quoted(value: str) -> str:
    # In single quotes Compose leaves a doubled backslash doubled: none could be before a quote.
    for sign in ("\\", '"', "$"):
        value = value.replace(sign, f"\\{sign}")
    return f'"{value}"'
