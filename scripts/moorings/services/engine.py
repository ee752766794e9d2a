"""The Docker engine of this machine: one that answers, or one that moor installs and starts."""

import fcntl
import os
import platform
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import psutil

from moorings import addresses, machine, masters, packages, probe, ui
from moorings.errors import CommandError, MoorError, NeedError, NotReadyError
from moorings.layout import Layout
from moorings.logfile import tail
from moorings.packages import Supply
from moorings.runner import LocalRunner, Result, Runner
from moorings.services import refusals
from moorings.target import Need

#: The oldest engine on which all of deploy/docker was seen to work.
OLDEST = (20, 10)

#: The oldest plug-ins: of Compose the one that knows files of variables that need not be there.
LEAST: Mapping[str, tuple[int, int]] = {"compose": (2, 24)}

#: Seconds that a question may take, and the start of an engine; it takes about 3.
ASK, BOOT = 15.0, 60.0

#: Seconds that it gets to end, its containers included.
GRACE = 60.0

BUSY = "somebody works with it"

#: Debian 12 has the engine; its plug-ins are in the next release, and run on this one.
ENGINE, PLUGINS = ("docker.io", "ca-certificates"), ("docker-compose", "docker-buildx")
NEXT = {"bookworm": "trixie"}

ABSENT, STOPPED = "Docker is not installed", "no Docker engine runs"
HOW = "./moor docker up --yes, as root on Debian, installs and starts one"


@dataclass(frozen=True)
class Engine:
    """Asks the client, and hands every command the address of moor's own engine, if that runs."""

    runner: Runner
    layout: Layout
    env: Mapping[str, str]
    """The operator's environment: DOCKER_HOST and the rest."""

    @property
    def socket(self) -> Path:
        """Where moor's own engine listens."""
        return self.layout.engine / "docker.sock"

    @property
    def is_own(self) -> bool:
        """Whether moor's own engine listens; after a machine's restart its socket is left alone."""
        return self.socket.exists() and addresses.answers(self.socket)

    @property
    def environment(self) -> dict[str, str]:
        """What each command of the client runs with."""
        own = not self.env.get("DOCKER_HOST") and self.is_own
        return {**self.env, "DOCKER_HOST": f"unix://{self.socket}"} if own else dict(self.env)

    def ask(
        self, *words: str, timeout: float = ASK, hidden: Collection[str] = (), both: bool = False
    ) -> Result:
        """Run a command of the client that only looks; a failure is a status, not an error.

        Its warnings are no part of an answer; where it fails, what it says of that is.

        :param hidden: variables of the operator's environment that mean something else there.
        :param both: both streams are the answer, as of a container's log.
        """
        argv = ["docker", *words]
        if not packages.find("docker"):
            return Result(127, "docker is not installed")
        env = self._without(hidden)
        # It only looks, so a dry run asks too.
        runner = LocalRunner() if self.runner.dry else self.runner
        try:
            said = runner.run(
                argv, timeout=timeout, env=env, quiet=True, check=False, apart=not both
            )
        except MoorError as problem:
            return Result(124, problem.fact)
        return Result(said.status, said.output + (said.errors if said.status != 0 else ""))

    def require(self, *words: str) -> str:
        """Return the answer to a question of which a silence is no answer.

        :raises NeedError: where no engine answers, and why.
        :raises CommandError: where it answers other questions.
        """
        said = self.ask(*words)
        if said.status != 0:
            raise self.silence(said, words[0])
        return said.output

    def silence(self, said: Result, word: str) -> MoorError:
        """Return why a question of the client was not answered."""
        need = self._engine()
        if not need.there:
            return NeedError(need.what, hint=need.how)
        fact = f"the engine does not answer `docker {word}`"
        return CommandError(fact, log=said.output.strip(), hint="see the engine's log")

    def do(
        self, *words: str, timeout: float, hidden: Collection[str] = (), check: bool = True
    ) -> Result:
        """Run a command of the client, printed so that it can be repeated by hand.

        :param hidden: as above.
        :param check: whether its failure is an error.
        :raises CommandError: with its last lines, in words of moor where they are known.
        """
        env = self._without(hidden)
        try:
            return self.runner.run(["docker", *words], timeout=timeout, env=env, check=check)
        except CommandError as problem:
            raise refusals.explained(problem) from None

    @property
    def build(self) -> list[str]:
        """The words that build an image into this engine.

        `docker build` of Debian's client is the builder of old, which knows no mounts and no
        secrets; and a builder that the operator has chosen may not see the engine's images.
        """
        said = self.ask("context", "inspect", "--format", "{{.Name}}")
        name = said.output.strip() if said.status == 0 else ""
        return ["buildx", "build", "--builder", name or "default", "--load"]

    def _without(self, hidden: Collection[str]) -> dict[str, str]:
        return {name: value for name, value in self.environment.items() if name not in hidden}

    def needs(self) -> list[Need]:
        """Want an engine that answers, is new enough, and has both plug-ins of the client."""
        needs = [self._engine(), *self.plugins()]
        remedy = partial(bring_up, self)
        # One that may not be used, or is too old, is the operator's own affair.
        mends = {ABSENT, STOPPED, *(need.what for need in needs[1:])}
        return [replace(one, packages=(*ENGINE, *PLUGINS), remedy=remedy)
                if not one.there and one.what in mends else one for one in needs]  # fmt: skip

    def plugins(self) -> list[Need]:
        """Want both plug-ins of the client."""
        return [self._plugin(one) for one in ("compose", "buildx")]

    def near(self) -> Need:
        """Want an engine whose containers this host reaches at their own addresses."""
        options = self.ask("info", "--format", "{{.SecurityOptions}}").output
        gateways = "{{range .IPAM.Config}}{{.Gateway}} {{end}}"
        bridge = self.ask("network", "inspect", "bridge", "--format", gateways)
        here = {one.address for found in psutil.net_if_addrs().values() for one in found}
        gates = bridge.output.split() if bridge.status == 0 else []
        return reached(options, gates, here, self._host())

    def _host(self) -> str:
        """Return where the client has its engine, be that by DOCKER_HOST or by a context."""
        said = self.ask("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
        found = said.output.strip() if said.status == 0 else ""
        return found or self.environment.get("DOCKER_HOST", "")

    def _engine(self) -> Need:
        said = self.ask("version", "--format", "{{.Server.Version}}")
        if said.status == 0:
            return judged(said.output.strip())
        return Need(*refused(said.output, self.env.get("DOCKER_HOST", "")))

    def _plugin(self, name: str) -> Need:
        said = self.ask(name, "version")
        if said.status != 0:
            return Need(f"the plug-in {name} of docker is missing", False, HOW)
        least = LEAST.get(name, (0, 0))
        return judged(said.output.strip(), f"the plug-in {name} of docker", least)


def judged(said: str, what: str = "Docker engine", least: tuple[int, int] = OLDEST) -> Need:
    """Judge the version of what answers, by the first number in what it says."""
    found = re.search(r"(\d+)\.(\d+)[\w.+-]*", said)
    new = found is not None and (int(found[1]), int(found[2])) >= least
    oldest, named = ".".join(map(str, least)), f"{what} {found[0] if found else said}".strip()
    fact = named if new else f"{named} is older than {oldest}"
    return Need(fact, new, f"install {oldest} or newer")


def refused(said: str, host: str = "") -> tuple[str, bool, str]:
    """Tell why no engine answers, and the next step, from what the client says.

    :param host: where the operator has it, if he says so.
    """
    if "permission denied" in said.lower():
        how = (
            "join the group docker: usermod -aG docker NAME, then log in anew; a rootless engine "
            "of your own serves Compose by hand (deploy/docker/README.md)"
        )
        return "this user may not use the socket of Docker", False, how
    if "is not installed" in said:
        return ABSENT, False, HOW
    if "did not end within" in said:
        return "the Docker engine does not answer", False, "see its log, or restart it"
    if host:
        return f"no Docker engine answers at DOCKER_HOST={host}", False, "start it, or unset that"
    return STOPPED, False, f"start it (systemctl start docker), or {HOW}"


def reached(options: str, gateways: Sequence[str], here: Collection[str], host: str) -> Need:
    """Judge whether this host reaches containers at their addresses.

    :param gateways: those of the engine's own bridge, which are addresses of the engine's host.
    :param here: the addresses of this host.
    """
    place = urlsplit(host)
    why = ""
    if "name=rootless" in options:
        why = "it is rootless"
    elif place.scheme in ("tcp", "ssh") and place.hostname not in ("localhost", "127.0.0.1", "::1"):
        why = f"it is at {host}"
    elif gateways and not set(gateways) & set(here):
        why = "it is in a virtual machine, or moor in a container"
    what = f"this host does not reach the containers of the Docker engine: {why}"
    how = "use an engine that root runs on this host, and moor beside it: a deploy proves there"
    return Need(what if why else "its containers are reached", not why, how)


def bring_up(engine: Engine) -> None:
    """Install and start what is missing of an engine with its plug-ins.

    :raises NeedError: naming what is still missing and the next step.
    """
    supply = Supply(engine.runner, engine.layout.state, yes=True)
    # The client alone, from elsewhere, is no engine.
    if not packages.find("dockerd") and not engine.needs()[0].there:
        supply.get(ENGINE)
    if not all(need.there for need in engine.plugins()):
        with sources(codename(), engine.runner) as options:
            supply.get(PLUGINS, options)
    if not engine.needs()[0].there:
        _start(engine)
    for need in engine.needs():
        if not need.there and not engine.runner.dry:
            raise NeedError(need.what, hint=need.how)


def codename() -> str:
    """Return the name of this Debian."""
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "")


@contextmanager
def sources(suite: str, runner: Runner) -> Iterator[list[str]]:
    """Let apt see the next Debian too, for the plug-ins alone, and leave nothing of that behind."""
    if suite not in NEXT:
        yield []
        return
    listed = machine_sources(runner)
    with tempfile.TemporaryDirectory(prefix="moorings-apt-") as name:
        folder = Path(name)
        # apt reads its lists as a user of its own.
        folder.chmod(0o755)
        (folder / "lists").mkdir()
        (folder / "sources.list").write_text(widened(listed, suite))
        (folder / "preferences").write_text(pinned(NEXT[suite]))
        yield [
            f"-oDir::Etc::SourceList={folder}/sources.list", "-oDir::Etc::SourceParts=-",
            f"-oDir::Etc::Preferences={folder}/preferences", "-oDir::Etc::PreferencesParts=-",
            f"-oDir::State::Lists={folder}/lists",
        ]  # fmt: skip


def machine_sources(runner: Runner) -> str:
    """Return an address and a suite in each line, as apt is configured on this machine."""
    argv = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"]
    return runner.run(argv, timeout=60, quiet=True).output


def widened(listed: str, suite: str) -> str:
    """Return the machine's own sources of this suite, and the same of the next one.

    :param listed: lines of an address and a suite.
    """
    pairs = dict.fromkeys(tuple(line.split()) for line in listed.splitlines() if line.strip())
    own = [f"deb {place} {name} main" for place, name in pairs]
    more = [f"deb {place} {NEXT[suite]} main" for place, name in pairs if name == suite]
    return "\n".join([*own, *dict.fromkeys(more), ""])


def pinned(suite: str) -> str:
    """Return the preferences by which nothing but the plug-ins comes from a suite."""
    return (
        f"Package: *\nPin: release n={suite}\nPin-Priority: -1\n\n"
        f"Package: {' '.join(PLUGINS)}\nPin: release n={suite}\nPin-Priority: 990\n"
    )


def _start(engine: Engine) -> None:
    """Start an engine of moor's own, in the state folder, as no init system need be here."""
    folder = engine.layout.engine
    argv = daemon(folder)
    if engine.runner.dry:
        ui.command(argv)
        return
    folder.mkdir(parents=True, exist_ok=True)
    for item in undoing(folder):
        machine.remember(engine.layout.state, item)
    log = folder / "log"
    with ui.working("Starting the Docker engine"):
        pid = engine.runner.start(argv, cwd=folder, env=dict(os.environ), log=log)
        _wait(engine, psutil.Process(pid), log)
    ui.good(f"a Docker engine answers at unix://{engine.socket}")


def _wait(engine: Engine, started: psutil.Process, log: Path) -> None:
    def answers() -> bool | None:
        if not masters.runs(started):
            return False
        return True if engine.needs()[0].there else None

    what = "the Docker engine to answer"
    if not probe.until(answers, what=what, timeout=BOOT, last=lambda: tail(log, 1)):
        raise NotReadyError("dockerd ended", log=tail(log, 10), hint=f"see {log}")


def daemon(folder: Path) -> list[str]:
    """Return the command of an engine that keeps everything below one folder."""
    return [
        "dockerd", "--data-root", f"{folder}/root", "--exec-root", f"{folder}/exec",
        "--pidfile", f"{folder}/pid", "--host", f"unix://{folder}/docker.sock",
    ]  # fmt: skip


def undoing(folder: Path) -> Sequence[machine.Item]:
    """Return how the engine, and then its images and volumes, are taken away."""
    stop = ["start-stop-daemon", "--stop", "--oknodo", "--retry", "TERM/45/KILL/5"]
    return (
        machine.Item("Docker engine", str(folder), [*stop, "--pidfile", f"{folder}/pid"]),
        machine.Item("folder", str(folder), ["rm", "-r", "-f", str(folder)]),
    )


@contextmanager
def in_use(engine: Engine) -> Iterator[None]:
    """Keep others from putting moor's own engine away during a block."""
    with _users(engine) as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def put_away(engine: Engine) -> str:
    """Stop the engine that moor has started, where nothing runs in it; images and volumes stay.

    :returns: why it was not stopped; empty where it does not run any more.
    """
    if not engine.is_own:
        return ""
    if engine.env.get("DOCKER_HOST"):
        return "DOCKER_HOST names another engine, which moor would ask"
    with _alone(engine) as alone:
        if not alone:
            return BUSY
        said = engine.ask("ps", "--quiet")
        if said.status == 0 and said.output.strip():
            return "containers run in it"
        _end(engine)
    return ""


def restart(engine: Engine) -> None:
    """Restart the engine that moor has started, as a machine's restart does.

    :raises NeedError: where others work with it.
    """
    with _alone(engine) as alone:
        if not alone:
            raise NeedError(f"the engine is not restarted: {BUSY}", hint="try again later")
        _end(engine)
        _start(engine)


def restartable(engine: Engine) -> bool:
    """Tell whether it is an engine that moor has started, with which nobody works."""
    with _alone(engine) as alone:
        return alone and engine.is_own and not engine.env.get("DOCKER_HOST")


@contextmanager
def _alone(engine: Engine) -> Iterator[bool]:
    """Keep others out during a block; False where somebody works with it."""
    with _users(engine) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _end(engine: Engine) -> None:
    _stop(engine.layout.engine / "pid")
    engine.socket.unlink(missing_ok=True)


def _stop(pidfile: Path) -> None:
    """End the engine of a file, also where this process has started it and so must ask for it."""
    with suppress(FileNotFoundError, psutil.NoSuchProcess):
        process = psutil.Process(int(pidfile.read_text()))
        # The file may have outlived a machine's restart, and its number is another's.
        if process.name() == "dockerd":
            process.terminate()
            masters.wait_or_kill(process, GRACE)


@contextmanager
def _users(engine: Engine) -> Iterator[IO[bytes]]:
    engine.layout.engine.mkdir(parents=True, exist_ok=True)
    with (engine.layout.engine / "users").open("ab") as file:
        yield file
