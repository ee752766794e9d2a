"""One deployment put together: its settings, its target, what it leans on."""

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from moorings import (
    history,
    layout,
    lifecycle,
    machine,
    neighbours,
    packages,
    service,
    settings,
    targets,
    ui,
    users,
)
from moorings.errors import CommandError, MoorError, NotReadyError
from moorings.history import Change, Entry, History
from moorings.layout import Layout
from moorings.lock import Lock
from moorings.runner import LocalRunner, Runner
from moorings.services.jaeger import Jaeger
from moorings.settings import Settings
from moorings.target import Context, Release, Spares, Target


@dataclass(frozen=True)
class Deployment:
    """What a verb works with."""

    context: Context
    target: Target
    jaeger: Jaeger
    lock: Lock
    yes: bool = False
    """Whether what is missing on the machine may be installed without asking."""

    @property
    def settings(self) -> Settings:
        """What the operator set."""
        return self.context.settings

    @property
    def layout(self) -> Layout:
        """Where everything lies."""
        return self.context.layout

    def release(self) -> Release:
        """Return the release that the working tree and the settings make now."""
        return self._configured(self.target.version())

    def reloaded(self) -> Release:
        """Return the live release with the settings as they are now.

        :raises NotReadyError: where nothing runs.
        """
        live = self._known()
        if live is None:
            raise NotReadyError(
                "nothing runs that could be reloaded", hint=f"./moor deploy {self.target.name}"
            )
        return self._configured(live)

    def _known(self) -> Release | None:
        """Return what clients reach.

        :raises MoorError: where something serves that nothing is written down of.
        """
        live = self.target.live()
        lifecycle.require_known(self.target, live)
        return live

    def _configured(self, release: Release) -> Release:
        if not self.context.runner.dry:
            service.prepare(self.layout, self.context.user)
        env = service.environment(
            self.settings,
            self.layout,
            release,
            self.target.column,
            self.jaeger.otlp_endpoint,
            self.target.hops,
            self.jaeger.thrift_endpoint,
            self.jaeger.grpc_endpoint,
        )
        return release.running_in(env)

    def plan(self) -> lifecycle.Plan:
        """Return how a deploy of it goes about it."""
        dry = self.context.runner.dry
        return lifecycle.Plan(
            lock=self.lock,
            history=self.history,
            migrate=service.migrate_command(self.settings),
            boot_timeout=self.settings.server.boot_timeout,
            prove=lifecycle.unproved if dry else lifecycle.prove,
            claim=self._claim,
            supply=packages.Supply(self.context.runner, self.layout.state, self.yes),
            agree=self._agrees,
            window=0 if dry else lifecycle.ALIVE,
        )

    def _agrees(self, costs: Sequence[str]) -> bool:
        """Tell whether the operator wants what clients will notice: said so, or asked."""
        question = f"{' and '.join(costs)}: made anew, requests fail for a moment. Go on?"
        return self.yes or (sys.stdin.isatty() and click.confirm(question))

    @property
    def history(self) -> History:
        """Its record of releases, and its audit lines."""
        return History(self.layout.home, self.context.runner.dry, self.target.name)

    def kept(self) -> list[Entry]:
        """Return the releases that can be started without a build, newest first."""
        built = self.target.built()
        return [one for one in self.history.entries() if not one.failed and one.version in built]

    def deploy(self) -> Change | None:
        """Deploy the working tree; None where it runs already."""
        return lifecycle.deploy(self.target, self.release(), self.plan())

    @contextmanager
    def _claim(self) -> Iterator[None]:
        """Note whose deployment this is, as all targets keep their releases in one place.

        Where nothing of it is left, the note is as it was.

        :raises MoorError: where another target serves under its name.
        """
        other = noted(self.layout)
        if other == self.target.name or self.context.runner.dry:
            yield
            return
        if other and targets.make(other, self.context).live() is not None:
            raise MoorError(
                f"{other} serves under the name {self.layout.name}",
                hint=f"./moor deploy {other}, or ./moor down {other} first, or another --name",
            )
        _note(self.layout).write_text(self.target.name)
        try:
            yield
        except BaseException:
            if not lifecycle.left(self.target):
                _note(self.layout).write_text(other)
            raise

    def rollback(self, wanted: str = "", plan: lifecycle.Plan | None = None) -> Change | None:
        """Go back to a release that is kept, under the settings as they are now.

        :param wanted: its version or how that begins; empty: what served before the live one.
        :param plan: how to go about it; by default as a deploy.
        :raises MoorError: where there is none such.
        """
        chosen = history.choose(self.kept(), self._known(), wanted)
        release = self._configured(chosen.release)
        return lifecycle.rollback(self.target, release, plan or self.plan())

    def reload(self) -> None:
        """Take changed settings into the live release."""
        lifecycle.reload(self.target, self.reloaded(), self.plan())

    def maintain(self, on: bool) -> None:
        """Let clients be answered 503, or no longer."""
        lifecycle.maintain(self.target, self.plan(), on)

    def down(self, volumes: bool = False) -> None:
        """Remove all of it; data, and the secrets that belong to it, are kept unless told."""
        spared = self.target.spared() if volumes and isinstance(self.target, Spares) else None
        lifecycle.down(self.target, self.plan(), volumes)
        self.jaeger.stop(volumes)
        if not self.context.runner.dry:
            _note(self.layout).unlink(missing_ok=True)
        if volumes:
            self._forget(self.layout.home, spared)

    def _forget(self, place: Path, spared: Path | None) -> None:
        """Remove a folder, but for one in it."""
        if spared is None or not spared.exists():
            self.context.runner.remove(place)
            return
        for one in sorted(place.iterdir()):
            if one in spared.parents:
                self._forget(one, spared)
            elif one != spared:
                self.context.runner.remove(one)

    def require_alone(self) -> None:
        """See that no other deployment needs what all of them share.

        :raises MoorError: naming those that do.
        """
        busy = neighbours.busy(self.layout, self.context.runner)
        if busy:
            raise MoorError(
                f"--all would take away what other deployments use: {', '.join(busy)}",
                hint=f"./moor down --name {busy[0]} first, or leave --all out",
            )

    def clean(self) -> None:
        """Undo what was put on the machine for all deployments, and say what that was.

        :raises CommandError: where something could not be undone; the rest is.
        """
        runner, state = self.context.runner, self.layout.state
        for folder in (self.layout.environments, self.layout.bin):
            if folder.exists():
                runner.remove(folder)
                self._removed(str(folder))
        items = machine.items(state)
        kept = [item for item in items if self._needed(item)]
        failed = [item for item in items if item not in kept and not self._undo(item)]
        if not runner.dry:
            machine.forget(state, [item for item in items if item not in (*kept, *failed)])
        for item in failed:
            raise CommandError(
                f"{item.kind} {item.name} is still there", hint=shlex.join(item.undo)
            )

    def _needed(self, item: machine.Item) -> bool:
        """Tell whether data is left that would lose its owner: a number goes to the next user."""
        owners = neighbours.with_data(self.layout.state) if item.kind == "user" else []
        if owners:
            ui.warn(f"user {item.name} is kept: it owns the data of {', '.join(owners)}")
        return bool(owners)

    def _undo(self, item: machine.Item) -> bool:
        if self.context.runner.run(item.undo, timeout=60, check=False).status != 0:
            return False
        self._removed(f"{item.kind} {item.name}")
        return True

    def _removed(self, what: str) -> None:
        if not self.context.runner.dry:
            ui.good(f"removed {what}")


def noted(place: Layout) -> str:
    """Return the target that is deployed under a name; empty where none is."""
    note = _note(place)
    return note.read_text() if note.exists() else ""


def _note(place: Layout) -> Path:
    return place.home / "target"


def open(
    root: Path,
    environ: Mapping[str, str],
    flags: Mapping[str, object],
    target: str,
    runner: Runner | None = None,
    looks_only: bool = False,
    as_operator: bool = False,
) -> Deployment:
    """Put a deployment together; nothing is started.

    :param target: its name; empty: the one that is deployed, or else Gunicorn.
    :param flags: settings by key, over those of `moor.toml` and of `environ`.
    :param looks_only: the verb changes nothing, so the machine's user is not made.
    :param as_operator: the app has the operator's own rights, root's too; a control wants that.
    """
    runner = runner or LocalRunner()
    read = settings.load(root, environ, flags, targets.sections())
    place = layout.of(read)
    user = users.service_user(runner, place.state, not looks_only) if not as_operator else None
    context = Context(read, runner, place, user, looks_only)
    made = targets.make(target or noted(place) or targets.DEFAULT, context)
    return Deployment(
        context=context,
        target=made,
        jaeger=targets.jaeger(made, context),
        lock=Lock(place.home / "lock"),
    )
