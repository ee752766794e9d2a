"""Containers on one Docker engine: two colours of the app behind a gateway that never restarts."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from pathlib import Path

import click

from moorings import deployment, interrupts, lifecycle, probe, server_lines, service, ui
from moorings.errors import MoorError
from moorings.packages import Supply
from moorings.runner import LocalRunner
from moorings.services import (
    app_env,
    compose_database,
    compose_drift,
    compose_needs,
    compose_shown,
    containers,
)
from moorings.services import engine as engines
from moorings.services.app_images import AppImages
from moorings.services.base_choice import AUTO, DEBIAN, PUBLIC
from moorings.services.compose import BADGER, COLOURS, FILES, GREEN, START, Project
from moorings.services.compose_database import ComposeDatabase
from moorings.services.compose_drift import COSTLY
from moorings.services.compose_gateway import ComposeGateway
from moorings.services.compose_jaeger import of_project
from moorings.services.containers import Container
from moorings.services.engine import Engine
from moorings.services.jaeger import Jaeger
from moorings.settings import option
from moorings.sources import Sources
from moorings.target import Context, Endpoints, Instance, Need, Release

ROOT = Path(__file__).resolve().parents[3]

#: Where a container of the app listens, by compose.yaml.
APP_PORT = 8000

#: The parts of the checkout of which an image is made, and the gateway's files.
PARTS = ("service/runtime", "service/requirements", "deploy/docker",
         "deploy/gunicorn", "deploy/uwsgi", "deploy/apache", "deploy/parts/nginx")  # fmt: skip

#: The variables of compose.yaml by which an operator names images of his own.
IMAGES = ("NGINX_IMAGE", "POSTGRES_IMAGE", "JAEGER_IMAGE")

#: Seconds that the public images may take to come, about 250 MB.
PULL = 1800.0

#: Seconds beyond its grace period that a container may take to send its last spans, and to end.
LAST = 6.0


@dataclass(frozen=True)
class Options:
    """Section [docker] of moor.toml."""

    server: str = option(
        "gunicorn",
        "server of the image",
        flag="--server",
        make="SERVER",
        choices=("gunicorn", "uwsgi", "apache"),
    )
    images: str = option(
        AUTO,
        "base images: debian makes them from Debian's packages, public takes the public ones, "
        "auto the public ones where a registry answers, else Debian's",
        choices=(AUTO, DEBIAN, PUBLIC),
    )
    network: str = option(
        "", "one more network of the engine for the app, as one with a collector of yours"
    )
    data: str = option(
        "", "folder of this machine for PostgreSQL's data; empty: a volume of the engine"
    )
    layers: str = option(
        "",
        "more files of Compose over compose.yaml, from the checkout, with : between them",
        make="LAYERS",
    )


COLUMNS = {f"docker-{name}": {"docker.server": name} for name in ("gunicorn", "uwsgi", "apache")}


class Docker:
    """Its primitives."""

    name = "docker"
    hops = 1
    proved_serves = True
    mixes = False

    def __init__(self, context: Context) -> None:
        """Ask nothing."""
        self.context = context
        self._seen: frozenset[str] = frozenset()
        self._has_bases = False
        self.options = context.settings.of(self.name, Options)
        self.engine = Engine(context.runner, context.layout, os.environ)
        self.server = context.settings.server
        self._variables: dict[str, str] = {
            "SERVER": self.options.server,
            "NETWORK": self.options.network,
            "DATA": self.options.data,
            "GRACE": str(self.server.grace),
            "STOP_GRACE": f"{self.server.grace + LAST:.0f}s",
        }
        self.project = Project(self.engine, self._variables, self._layers())
        self.gateway = ComposeGateway(self.project, self.server)
        self.sources = Sources(context, PARTS)
        self.images = AppImages(
            context, self.engine, self.options.server, self.sources, self.options.images
        )

    def _layers(self) -> list[Path]:
        """Return the files over compose.yaml: the repository's own, then the operator's."""
        own = {
            "compose.network.yaml": bool(self.options.network),
            "compose.data.yaml": bool(self.options.data),
            BADGER: self.context.settings.jaeger.storage == "badger",
        }
        folder = self.context.layout.root / FILES
        return [*(folder / name for name, wanted in own.items() if wanted), *self._given]

    @property
    def _given(self) -> list[Path]:
        """The operator's own files of Compose."""
        root = self.context.layout.root
        return [root / name for name in self.options.layers.split(":") if name]

    @property
    def longest_stop(self) -> float:
        """Return the gateway's grace period, and what the app has after it before a kill.

        The gateway cuts a request that hangs; the app does not know, and takes a grace period too.
        """
        return self.server.grace + LAST

    @property
    def column(self) -> str:
        """The server in the image."""
        return f"{self.name}-{self.options.server}"

    def needs(self) -> list[Need]:
        """Want an engine with its plug-ins, what makes base images, and the gateway's address."""
        needs = self.images.needs()
        if needs[0].there:
            needs += [self.engine.near(), self._place(), *self._named(), *self.gateway.needs()]
        return needs

    def _named(self) -> Iterator[Need]:
        own = self.options
        yield from compose_needs.named(
            self.engine, self.server.host, self.project.layers, own.network, own.data
        )
        if all(file.is_file() for file in self._given):
            yield from compose_needs.taken(self.project, self._given)

    def _place(self) -> Need:
        return compose_database.place(self.project, self.options.data)

    def version(self) -> Release:
        """Name the version by what the image is made of, and its server."""
        made = self.sources.version()
        return Release(f"{made.version}-{self.options.server}", made.commit)

    def build(self, release: Release) -> None:
        """Make the bases where they are wanted, and the image."""
        self._based()
        self.images.build(release)

    def _based(self) -> None:
        """Make the images below all others, once, but for those that the operator names."""
        if not self._has_bases:
            named = {name: image for name in IMAGES if (image := self.engine.env.get(name))}
            self._variables.update(self.images.bases() | named)
            if not self.images.debian and not self.context.runner.dry:
                self.project.prepare()
                self.project.do(
                    "pull", "--policy", "missing", "gateway", *self._leans_on, timeout=PULL
                )
            self._has_bases = True

    def built(self) -> set[str]:
        """Return the versions whose image the engine has."""
        return self.images.built()

    def remove(self, version: str) -> None:
        """Remove an image."""
        self.images.remove(version)

    def inside(self, release: Release) -> Release:
        """Leave out what is otherwise inside."""
        return app_env.inside(self.context.settings, release)

    def migrate(self, release: Release, command: str) -> None:
        """Start what the app leans on, and run the migrations as the role that owns the schema."""
        self._once(release, service.words(command), 600)

    def accepts(self, release: Release) -> None:
        """Ask the app's READY once, in a container of the release, where its server is the one set.

        :raises MoorError: where it is not.
        """
        self._require_server(release, f"rollback docker {release.version}")
        most = self.server.boot_timeout
        self._once(release, ["python3", "-m", "runtime.ready", str(most)], most + 60)

    def _require_server(self, release: Release, words: str) -> None:
        """See that its server is the one set: the app's environment would be another server's."""
        server = release.version.rpartition("-")[2]
        if server != self.options.server:
            fact = f"its server is {server}, docker.server is {self.options.server}"
            raise MoorError(fact, hint=f"./moor {words} --server {server}")

    def _once(self, release: Release, words: list[str], timeout: float) -> None:
        self.lean()
        image, own = self.images.name(release.version), self.inside(release)
        self.project.give("migration", own, image)
        env = [f"--env={name}={value}" for name, value in app_env.of_migration(own).items()]
        try:
            self.project.do(
                "run", "--rm", "--no-deps", "-T", *env, "migration", *words, timeout=timeout
            )
        except BaseException:
            self._stop_migration()
            raise

    def _stop_migration(self) -> None:
        """Remove its container, which runs on where its client is killed: by Ctrl-C, or as late."""
        try:
            self.project.remove("migration")
        except MoorError as late:
            # It hides nothing of why.
            ui.warn(f"what was run once may run on: {late.fact}")

    def lean(self) -> None:
        """Start what the app leans on, unless it runs."""
        self.bring_up(*self._leans_on)

    @property
    def _leans_on(self) -> list[str]:
        return ["postgres", *([] if self._told else ["jaeger"])]

    def bring_up(self, *services: str) -> None:
        """Start services that no deploy replaces, unless they run, and wait until they answer.

        :raises NeedError: where there is no engine.
        """
        if not self.context.runner.dry:
            supply = Supply(self.context.runner, self.context.layout.state)
            lifecycle.require(self.images.needs(), supply)
        self._prepared()
        self._based()
        self._variables.update(self.gateway.ports())
        self.project.do("up", "--detach", "--no-build", "--no-recreate", "--wait", *services)

    def _prepared(self) -> None:
        """See that all files are there that containers mount."""
        self.project.prepare()
        if not self.context.runner.dry:
            self.gateway.prepare()

    def interrupts(self) -> list[str]:
        """Return what would have to be made anew while clients wait, and why."""
        if not self.endpoints().app:
            return []
        found = self._changes()
        # Nobody waits for one that does not run.
        running = {one.service for one in self.project.containers() if one.runs}
        costly = [name for name in COSTLY if name in found and name in running]
        return [f"{name} ({', '.join(found[name])})" for name in costly]

    def renew(self) -> None:
        """Make anew what of the project's other containers is not as it would be made now."""
        changes = self._changes()
        if changes:
            self._prepared()
        for name, why in changes.items():
            title = f"Making {name} anew (Ctrl-C waits for it): {', '.join(why)}"
            # Compose that is killed has stopped the old one, and starts no other.
            with ui.working(title), interrupts.held():
                argv = ("up", "--detach", "--no-deps", "--no-build", "--force-recreate", "--wait")
                self.project.do(*argv, name)
            ui.good(f"made {name} anew: {', '.join(why)}")

    def _changes(self) -> dict[str, list[str]]:
        if self.context.runner.dry or not self.project.containers():
            return {}
        lifecycle.require([self._place()])
        self._based()
        self._variables.update(self.gateway.ports())
        return compose_drift.changes(self.project)

    @property
    def _told(self) -> bool:
        """Whether the settings name a Jaeger or a collector that is there already."""
        jaeger = self.context.settings.jaeger
        return bool(jaeger.endpoint or jaeger.url)

    def start(self, release: Release) -> None:
        """Start the idle colour: nobody is sent there yet."""
        self.lean()
        self._seen = frozenset()
        idle = self.project.idle
        self.project.give(idle, self.inside(release), self.images.name(release.version))
        self.project.do("up", "--detach", "--no-deps", "--no-build", "--force-recreate", idle)

    def prove_url(self, release: Release) -> str:
        """Ask the idle container at its own address."""
        if self.context.runner.dry:
            return ""
        return f"http://{self.project.address(self.project.idle, 'front')}:{APP_PORT}"

    def alive(self, release: Release) -> bool:
        """Tell whether it runs and was not started anew, and neither was a worker of it."""
        found = self.project.find(self.project.idle)
        if found is None or not found.runs or found.restarts:
            return False
        now = containers.instances(self.engine, found)
        workers = {one.id for one in now if one.role == "worker"}
        # The master puts another in the place of a worker that dies: it would seem to live on.
        died = self._seen - workers
        self._seen |= workers
        return not died

    def switch(self, release: Release) -> None:
        """Move the gateway's flag, and see that clients then reach this release."""
        if self.context.runner.dry:
            return
        flag, colour = self.project.flags / GREEN, self.project.idle
        before = flag.exists()
        try:
            self.gateway.put()
            flag.touch() if colour == GREEN else flag.unlink(missing_ok=True)
            found = self.endpoints()
            # Behind the inner door is the same colour, also while clients are told of maintenance.
            door = found.operators if found.closed else found.app
            probe.serves(door, release.version, START / 6)
        except BaseException:
            flag.touch() if before else flag.unlink(missing_ok=True)
            raise

    def outlived(self) -> Release | None:
        """Return what the idle colour is: without its gateway, or restarting, it was not live."""
        found = None if self.context.runner.dry else self.project.find(self.project.idle)
        return None if found is None else found.release or Release(found.image, "")

    def retire(self, release: Release) -> None:
        """Stop the colour that clients do not reach, once it has answered what was sent to it."""
        idle = self.project.idle
        if self.project.find(idle) is None:
            return
        with ui.working("Draining"):
            self.gateway.drained(idle)
            self.project.stop(idle, self.server.grace + LAST)
        self.project.remove(idle)

    def live(self) -> Release | None:
        """Return the release of the live colour, where it and the gateway run."""
        found = {one.service: one for one in self.project.containers()}
        before, app = found.get("gateway"), found.get(self.project.live)
        if before is None or app is None or not (before.runs and app.runs):
            return None
        return app.release

    def reload(self, release: Release) -> None:
        """Let the other colour take over with the new settings.

        :raises MoorError: where its server is not the one set.
        """
        self._require_server(release, "reload docker")
        boot = self.server.boot_timeout
        try:
            self.start(release)
            if not self.context.runner.dry:
                probe.http(f"{self.prove_url(release)}/readyz", what="the app", timeout=boot)
            self.switch(release)
        finally:
            self.retire(release)

    def instances(self) -> list[Instance]:
        """Return the processes of the containers that run."""
        running = [one for one in self.project.containers() if one.runs]
        return [one for found in running for one in containers.instances(self.engine, found)]

    def beside(self) -> list[str]:
        """Return the parts that run beside the app, or are started again and again."""
        found = [one.service for one in self.project.containers() if one.goes_on]
        return sorted(set(found) - set(COLOURS))

    def strays(self) -> list[str]:
        """Return none: the engine itself knows all that runs."""
        return []

    def data(self) -> list[str]:
        """Return the volumes."""
        mine = f"label=com.docker.compose.project={self.project.name}"
        return self.engine.ask("volume", "ls", "--quiet", "--filter", mine).output.split()

    def logs(self, lines: int = 100, release: Release | None = None) -> str:
        """Return the newest lines of the live colour and the gateway, or of a release beside it."""
        found = self.project.containers()
        wanted = self.project.live if release is None else self.project.idle
        app = [one for one in found if one.service == wanted]
        before = [one for one in found if one.service == "gateway"] if release is None else []
        texts = [self._said(one, lines) for one in app]
        texts += [
            server_lines.of_nginx(line, UTC)
            for one in before for line in self._said(one, lines).splitlines()
        ]  # fmt: skip
        return "\n".join(text.rstrip() for text in texts if text)

    def _said(self, container: Container, lines: int) -> str:
        return self.engine.ask("logs", "--tail", str(lines), container.id, both=True).output

    def down(self, volumes: bool = False) -> None:
        """Drain the gateway, then the app; remove the containers and networks, data if told."""
        found = {one.service: one for one in self.project.containers()}
        if found:
            with ui.working("Draining the app"):
                until = time.monotonic() + self.server.grace + LAST
                # Longer than nginx's own time, by which it ends itself.
                self.project.stop("gateway", self.server.grace + LAST)
                left = max(LAST, until - time.monotonic())
                for colour in (self.project.live, self.project.idle):
                    self.project.stop(colour, left)
        if volumes and self.spared():
            ui.say(f"PostgreSQL's data stay in {self._folder}, and {self.spared()} has their "
                   "passwords: remove both, or none")  # fmt: skip
        if found or volumes:
            self.project.prepare()
            more = ["--volumes"] if volumes else []
            self.project.do("--profile", GREEN, "down", "--remove-orphans", *more, timeout=180)
        for flag in (GREEN, "maintenance", "drain"):
            self.context.runner.remove(self.project.flags / flag)
        layout = self.context.layout
        for folder in (layout.releases, layout.run, layout.logs):
            self.context.runner.remove(folder)
        for version in self.images.built():
            self.images.remove(version)

    def spared(self) -> Path | None:
        """Return the folder of the passwords of data that no volume of the engine takes along."""
        secrets = self.project.home / "secrets"
        return secrets if self._folder and secrets.exists() else None

    @property
    def _folder(self) -> str:
        return compose_database.folder(self.project) or self.options.data

    def endpoints(self) -> Endpoints:
        """Return where the gateway answers, if it runs."""
        return self.gateway.endpoints()

    def published(self) -> list[tuple[str, str]]:
        """Return the services that are published, and where."""
        return compose_shown.published(self.project)

    def kept(self) -> set[str]:
        """Return where a container has a volume, or the folder that the settings name for data."""
        return {place for one in self.project.containers() for place in one.kept(self._folder)}

    def secrets(self) -> Mapping[str, str]:
        """Return the secrets that were made at first use, by name."""
        return compose_shown.secrets(self.project)

    def told(self) -> Iterator[tuple[str, bytes]]:
        """Yield what the engine tells anybody who may ask it."""
        return compose_shown.told(self.project)

    def database(self) -> ComposeDatabase:
        """Return PostgreSQL, past the app."""
        return ComposeDatabase(self.project)

    def data_in(self, folder: Path) -> Mapping[str, object]:
        """Return the settings by which its data is in a folder."""
        return {"docker.data": str(folder)}

    def engine_in_use(self) -> str:
        """Return why the engine is not this checkout's to restart: empty where it is."""
        family, _, _ = self.project.name.rpartition("-")
        said = self.engine.ask("ps", "--format", '{{.Label "com.docker.compose.project"}}')
        if any(not name.startswith(f"{family}-") for name in said.output.splitlines()):
            return "others have containers in it"
        return "" if engines.restartable(self.engine) else "it is not moor's, or others use it"

    def restart_engine(self) -> None:
        """Restart the engine; the containers come back by their policies."""
        engines.restart(self.engine)

    def maintain(self, on: bool) -> None:
        """Let the gateway answer for the app, or no longer."""
        self.gateway.maintain(on)


def create(context: Context) -> Docker:
    """Return the target."""
    return Docker(context)


def jaeger(context: Context, target: Docker) -> Jaeger:
    """Return the project's own Jaeger, unless the settings name another one."""
    return of_project(context, target.project, partial(target.bring_up, "jaeger"))


@click.group(name="docker")
def command() -> None:
    """Look after the Docker engine of this machine."""


def _engine() -> Engine:
    layout = deployment.open(ROOT, os.environ, {}, Docker.name, looks_only=True).layout
    return Engine(LocalRunner(), layout, os.environ)


@command.command()
@click.option("--yes", is_flag=True, help="Install what is missing without asking.")
def up(yes: bool) -> None:
    """See that a Docker engine answers; as root on Debian, install and start one.

    \b
    Example:
      moor docker up --yes
    """
    engine = _engine()
    lifecycle.require(engine.needs(), Supply(engine.runner, engine.layout.state, yes=yes))
    for need in engine.needs():
        ui.good(need.what)
    if "DOCKER_HOST" in engine.environment:
        ui.say(f"By hand: export DOCKER_HOST={engine.environment['DOCKER_HOST']}")


@command.command()
def down() -> None:
    """Stop the engine that moor has started, where nothing runs in it; images stay.

    \b
    Example:
      moor docker down
    """
    why = engines.put_away(_engine())
    if why:
        raise MoorError(f"the engine is not stopped: {why}", hint="./moor down docker first")
    ui.good("no engine of moor's runs")
