"""Deployments of the contract's own: made for a check, watched, and taken away again."""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import psutil

from moorings import deployment as deployments
from moorings import lifecycle, ports, probe, ui
from moorings.contract.outcome import CheckFailed
from moorings.contract.tamper import HEALTHY, Tamper
from moorings.deployment import Deployment
from moorings.errors import MoorError
from moorings.layout import LONGEST
from moorings.services.jaeger import Jaeger
from moorings.settings import Jaeger as JaegerSettings
from moorings.target import Release, Target

Prove = Callable[[Target, Release, float], None]

#: What every deployment of a check has, unless the check or a control says otherwise.
FLAGS: Mapping[str, object] = {
    "server.port": 0,
    "server.socket": "",
    "server.workers": 2,
    "server.probe": True,
    "server.log_format": "json",
    "server.max_body": 80 * 1024 * 1024,
}


#: How many log lines of a part a failure shows.
LINES = 10


def _after(before: Callable[[], None], prove: Prove) -> Prove:
    def both(target: Target, release: Release, timeout: float) -> None:
        before()
        prove(target, release, timeout)

    return both


def own_jaeger() -> dict[str, object]:
    """Return the settings of a Jaeger of the contract's own, on ports that nobody else wants."""
    named = [item.name for item in fields(JaegerSettings) if item.name.endswith("_port")]
    chosen = {f"jaeger.{name}": ports.free("127.0.0.1") for name in named}
    return {"jaeger.endpoint": "", "jaeger.url": "", **chosen}


def briefly(target: Target, release: Release, timeout: float) -> None:
    """Prove readiness only, for deployments whose deploy is not what is checked."""
    url = f"{target.prove_url(release)}/readyz"
    probe.http(url, what=f"release {release.version}", timeout=timeout)


class Site:
    """One deployment under its own name; deployed again and again with other settings."""

    def __init__(
        self,
        yard: "Yard",
        name: str,
        flags: Mapping[str, object],
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Put it together; nothing is started.

        :param env: over the operator's own environment.
        """
        self.yard = yard
        self.name = name
        self.flags = dict(flags)
        self.env = dict(env or {})
        self.release: Release | None = None
        """What was deployed last; the working tree may have gone on since."""
        self.deployment = self._open({})
        self._front = ExitStack()
        self._fronted: dict[str, str] = {}

    def _open(self, more: Mapping[str, object]) -> Deployment:
        tamper = self.yard.tamper
        flags = {**FLAGS, **self.yard.flags, **self.flags, **more, **tamper.flags}
        # A service name of its own: whose trace it is must be plain.
        made = deployments.open(
            self.yard.root,
            {**self.yard.environ, "OTEL_SERVICE_NAME": self.name, **self.env, **tamper.env},
            {**flags, "deployment.name": self.name},
            self.yard.target,
            as_operator=tamper.as_root,
        )
        return made if tamper.target is None else replace(made, target=tamper.target(made.target))

    @property
    def target(self) -> Target:
        """Its target."""
        return self.deployment.target

    @property
    def url(self) -> str:
        """Where clients reach it; through the control's gateway where there is one."""
        app = self.target.endpoints().app
        front = self.yard.tamper.front
        if front is None or not app:
            return app
        if app not in self._fronted:
            self._fronted[app] = self._front.enter_context(front(app))
        return self._fronted[app]

    @property
    def inner(self) -> str:
        """Where operators ask: readiness and metrics, which a gateway keeps from clients."""
        return self.target.endpoints().inner or self.url

    @property
    def meters(self) -> tuple[str, ...]:
        """Where operators ask for metrics: in one place, or in several that add up."""
        each = self.target.endpoints().each
        return each() if each is not None else (self.inner,)

    def deploy(
        self,
        flags: Mapping[str, object] | None = None,
        *,
        proof: bool = True,
        agreed: bool = False,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> bool:
        """Deploy it, with changed settings where some are given.

        :param proof: the whole proof before the switch, or only readiness.
        :param agreed: whether clients may notice it.
        :param meanwhile: what happens before the proof.
        """
        self.deployment = self._open(flags or {})
        if self.yard.tamper.restarts:
            self.stop()
        release = self.deployment.release()
        plan = replace(self._plan(proof), agree=lambda _: agreed)
        plan = replace(plan, prove=_after(meanwhile, plan.prove))
        change = lifecycle.deploy(self.target, release, plan)
        self.release = release
        return change is not None

    def _plan(self, proof: bool) -> lifecycle.Plan:
        tamper = self.yard.tamper
        prove = (lifecycle.prove if proof else briefly) if tamper.proved else lifecycle.unproved
        window = lifecycle.ALIVE if prove is lifecycle.prove else 0
        return replace(self.deployment.plan(), prove=prove, window=window)

    def rollback(self, version: str) -> None:
        """Go to a release that is kept, as `moor rollback` does; its proof is readiness only."""
        if self.yard.tamper.restarts:
            self._halt()
        self.deployment.rollback(version, self._plan(proof=False))

    def _halt(self) -> None:
        """End what serves from outside; the releases stay."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        probe.until(lambda: not self.processes() or None, what="all processes to end", timeout=60)

    def coming(self, flags: Mapping[str, object]) -> Release:
        """Return the release that a deploy with these settings would bring."""
        return self._open(flags).release()

    def reload(self, flags: Mapping[str, object]) -> None:
        """Take changed settings into what runs; a control restarts it instead."""
        if self.yard.tamper.restarts:
            self.deploy(flags, proof=False)
            return
        self.deployment = self._open(flags)
        self.deployment.reload()

    def stop(self) -> None:
        """Drain and stop the app, as `moor down` does."""
        lifecycle.down(self.target, self.deployment.plan())

    def pids(self) -> set[int]:
        """Return the process ids of what serves."""
        return {int(one.id) for one in self.target.instances()}

    def logs(self, lines: int = 100) -> str:
        """Return the newest log lines of the app."""
        return self.target.logs(lines)

    def processes(self) -> list[psutil.Process]:
        """Return what serves, and every process that this deployment's folder shows in."""
        home, pids = str(self.deployment.layout.home), self.pids()
        found = psutil.process_iter()
        return [one for one in found if one.pid in pids or _belongs(one, home)]

    def remove(self) -> None:
        """Take all of it away, whatever state it is in."""
        self._front.close()
        self.deployment.down(volumes=True)
        shutil.rmtree(self.deployment.layout.home, ignore_errors=True)


def _belongs(process: psutil.Process, home: str) -> bool:
    try:
        words = [*process.environ().values(), *process.cmdline(), process.cwd()]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return process.pid != os.getpid() and any(f"{home}/" in word for word in words)


@dataclass
class Yard:
    """Where sites are made. Closing it removes every one of them, and its Jaeger."""

    target: str
    root: Path
    environ: Mapping[str, str]
    flags: Mapping[str, object] = field(default_factory=dict)
    tamper: Tamper = HEALTHY
    sites: list[Site] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Keep the operator's collector out of it: spans of checks are not its business."""
        theirs = ("OTEL_", "JAEGER_URL")
        self.environ = {
            name: value for name, value in self.environ.items() if not name.startswith(theirs)
        }
        self.plain = deployments.open(self.root, self.environ, self.flags, self.target)
        self._jaeger: Jaeger | None = None

    def jaeger(self) -> Jaeger:
        """Return the Jaeger that all sites send to, started at first use."""
        if self._jaeger is None:
            owner = self.site(own_jaeger())
            owner.deployment.jaeger.start()
            self._jaeger = owner.deployment.jaeger
        return self._jaeger

    def site(
        self, flags: Mapping[str, object] | None = None, env: Mapping[str, str] | None = None
    ) -> Site:
        """Put a deployment together that is removed with the yard at the latest."""
        site = Site(self, f"{self._prefix}{os.getpid()}-{len(self.sites) + 1}", flags or {}, env)
        self.sites.append(site)
        return site

    def shared(self) -> Site:
        """Deploy the site that the checks share; a control's is not worth the whole proof."""
        site = self.site(self._traced())
        site.deploy(proof=self.tamper is HEALTHY)
        return site

    @contextmanager
    def brief(
        self, flags: Mapping[str, object], env: Mapping[str, str] | None = None
    ) -> Iterator[Site]:
        """Lend a deployed site that goes away at the end of the block."""
        site = self.site({**self._traced(), **flags}, env)
        try:
            site.deploy(proof=False)
            yield site
        except CheckFailed as failed:
            # Its log goes with it, and is what explains the failure.
            failed.log = failed.log or f"app {site.name}:\n{site.logs(LINES)}"
            raise
        finally:
            site.remove()

    def _traced(self) -> dict[str, object]:
        return self.jaeger().flags

    @property
    def _prefix(self) -> str:
        return f"{self.plain.layout.name[:LONGEST]}-check-"

    def evidence(self) -> str:
        """Return the newest log lines of every part that runs."""
        parts = [f"app {site.name}:\n{text}" for site in self.sites if (text := site.logs(LINES))]
        if self._jaeger is not None:
            parts.append(f"jaeger:\n{self._jaeger.logs(5)}")
        return "\n".join(parts)

    def close(self) -> None:
        """Remove all that was made here; what could not be removed is said, and the rest goes."""
        for site in reversed(self.sites):
            try:
                site.remove()
            except MoorError as problem:
                ui.error(problem)

    def require(self) -> None:
        """See that the machine has what a deployment takes, and not once more in every check.

        :raises NeedError: naming the first that is missing and the line that gets it.
        """
        flags = {**FLAGS, **self.flags}
        made = deployments.open(self.root, self.environ, flags, self.target)
        lifecycle.require(made.target.needs(), made.plan().supply)

    def sweep(self) -> None:
        """Remove what an earlier run left that was killed."""
        for home in self.plain.layout.state.glob(f"{self._prefix}*"):
            pid = re.match(r"\d+", home.name.removeprefix(self._prefix))
            if pid and not psutil.pid_exists(int(pid[0])):
                ui.warn(f"removing {home.name}, which an earlier check left behind")
                Site(self, home.name, own_jaeger()).remove()
