"""How releases are changed in manuals, in place of how moor does it: for the controls."""

import re
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from moorings import probe
from moorings.errors import NotReadyError
from moorings.live import Live, ready
from moorings.mastered import MasteredTarget
from moorings.services.compose import Project
from moorings.services.compose_gateway import ComposeGateway, configuration
from moorings.services.kube_pods import NAME
from moorings.services.kubectl import Raw
from moorings.supervised import Master
from moorings.target import Release, Target
from moorings.targets.apache import Apache
from moorings.targets.docker import Docker
from moorings.targets.k8s import K8s

#: Seconds within which a worker of the new release has booted, or none will.
BOOT = 20.0


class Quitting(Live):
    """Ends the old master as Gunicorn's manual does after USR2: WINCH, then QUIT.

    https://docs.gunicorn.org/en/stable/signals.html#upgrading-to-a-new-binary-on-the-fly; that
    both masters accept on the same socket until then is what moor's own switch does too.
    """

    def retire_others(self) -> None:
        """Signal, and wait for the end."""
        live = self.master
        others = [one for one in self.supervised.masters() if live and one.name != live.name]
        for how in (signal.SIGWINCH, signal.SIGQUIT):
            for one in others:
                self.supervised.ask("stop", name=one.name, how=how)
        self._wait_until_gone(others)


class Unannounced(Live):
    """Ends the old master without a word to its clients first."""

    def _announce(self, drained: list[Master]) -> None:
        """Say nothing, and wait for nobody."""


def by(live: type[Live]) -> Callable[[Target], Target]:
    """Return what makes a target retire its masters in another way."""

    def changed(target: Target) -> Target:
        assert isinstance(target, MasteredTarget)
        target.running = live(target.context)
        return target

    return changed


class ByHup:
    """Changes what the running master serves by an edit of its configuration and SIGHUP."""

    def __init__(self, target: Target) -> None:
        """Do all else as the target does."""
        assert isinstance(target, MasteredTarget)
        self._target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def start(self, release: Release) -> None:
        """Start nothing beside what runs."""
        if self._target.live() is None:
            self._target.start(release)

    def switch(self, release: Release) -> None:
        """Let the master load the app anew, in the environment of the new release."""
        live = self._target.running
        master = live.master
        if master is None:
            self._target.switch(release)
            return
        self._edit(master.release, release)
        before = ready(master.folder)
        live.supervised.ask("reload", name=master.name)

        def taken() -> bool | None:
            now = live.master
            if now is None or now.pid != master.pid:
                return False
            return True if ready(master.folder) - before else None

        if not probe.until(taken, what="a worker of the new release", timeout=BOOT):
            raise NotReadyError("the master ended")
        about = {**master.about, "version": release.version, "settings": release.settings}
        live.supervised.ask("good", name=master.name, about=about)

    def _edit(self, live: Release, new: Release) -> None:
        """Put the new environment before what the configuration of the live release says."""
        conf = self._target.releases.folder(live) / "deploy" / "gunicorn" / "gunicorn.conf.py"
        env = {**self._target.releases.environ(new), **new.env}
        env.pop("BIND", None)
        update = f"import os\nos.environ.update({env!r})\n"
        conf.write_text(update + conf.read_text())

    def retire(self, release: Release) -> None:
        """There is only one master."""


class Edited:
    """Builds each release with other words in its files."""

    def __init__(self, target: Target, edits: Sequence[tuple[str, str, str]]) -> None:
        """Do all else as the target does.

        :param edits: files below the release, what stands there, and what is to.
        """
        assert isinstance(target, MasteredTarget)
        self._target = target
        self._edits = edits

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def build(self, release: Release) -> None:
        """Edit what was built now: of one release there is one folder, whatever its settings."""
        known = self._target.built()
        self._target.build(release)
        for file, old, new in self._edits if release.version not in known else ():
            _replace(self._target.releases.folder(release) / file, old, new)


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text, f"{file} has no {old} any more"
    file.write_text(text.replace(old, new))


def hoards(target: Target) -> Target:
    """Return a target that has a request's body in memory as a whole."""
    read = "request.stream.read({})"
    edit = ("service/runtime/probe.py", read.format("64 * 1024"), read.format(""))
    return cast(Target, Edited(target, [edit]))


def own_threads(target: Target) -> Target:
    """Return a target with Gunicorn's own threads, which close what idles for 2 s at a stop."""
    file, ours = "service/runtime/servers/gunicorn.py", '"runtime.servers.threads.Worker"'
    return cast(Target, Edited(target, [(file, ours, '"gthread"')]))


def unannounced(target: Target) -> Target:
    """Return a target with Gunicorn's own threads, whose old masters end without a word.

    The runtime's workers answer every idle client once more at a stop, announced or not: none of
    them was seen to lose a request by this.
    """
    return own_threads(by(Unannounced)(target))


#: uWSGI's configuration in a release.
_INI = "deploy/uwsgi/uwsgi.ini"


def die_on_term(target: Target) -> Target:
    """Return a target whose uWSGI takes SIGTERM for "quit now", as many manuals have it."""
    hook = "hook-master-start = unix_signal:15 grace_them_all"
    return cast(Target, Edited(target, [(_INI, hook, "die-on-term = true")]))


def by_sigterm(target: Target) -> Target:
    """Return a target that stops Apache as `docker stop` would."""
    assert isinstance(target, Apache)
    target.ends_by = signal.SIGTERM
    return target


def by_hup(target: Target) -> Target:
    """Return a target that deploys by SIGHUP."""
    return cast(Target, ByHup(target))


class Recreating(Docker):
    """Deploys by `docker compose up` of the changed service, as Compose itself would."""

    def start(self, release: Release) -> None:
        """Make the container anew in which the app runs."""
        self.lean()
        live = self.project.live
        self.project.give(live, self.inside(release), self.images.name(release.version))
        self.project.do("up", "--detach", "--no-deps", "--no-build", live)

    def prove_url(self, release: Release) -> str:
        """Ask the only container that there is."""
        return f"http://{self.project.address(self.project.live, 'front')}:8000"

    def alive(self, release: Release) -> bool:
        """Do not look."""
        return True

    def switch(self, release: Release) -> None:
        """See that the gateway runs."""
        self.gateway.put()

    def retire(self, release: Release) -> None:
        """The old container is gone."""


class Telling(Project):
    """Hands the app a secret in its environment."""

    def give(self, colour: str, release: Release, image: str) -> None:
        """Add the secret to what was asked for."""
        secret = (self.home / "secrets" / "secret_key").read_text()
        super().give(colour, replace(release, env={**release.env, "SHOP_KEY": secret}), image)


class Unasked(Docker):
    """Makes anew what has changed, and tells nobody before."""

    def interrupts(self) -> list[str]:
        """Name nothing."""
        return []


def unasked(target: Target) -> Target:
    """Return a target that interrupts clients without a question."""
    assert isinstance(target, Docker)
    return Unasked(target.context)


class Once(ComposeGateway):
    """Sends clients where the app's name led when it started, as `proxy_pass http://app` does.

    It is seen where a release is started beside the other, at an address of its own. What is made
    anew in place, as by `docker compose up`, has the address of the one before from the engine.
    """

    def put(self) -> None:
        """Start it, with the address of the only container that has the name by then."""
        if self.project.find("gateway") is None:
            only = self.project.address(self.project.idle, "front")
            told = re.sub(r'"(blue|green):8000"', f'"{only}:8000"', configuration(self.server))
            self.project.gateway.write_text(told)
            self.project.do("up", "--detach", "--no-deps", "--no-build", "gateway")


class Deaf(ComposeGateway):
    """Never changes its configuration while it runs."""

    def put(self) -> None:
        """Start it where it does not run."""
        if not self.endpoints().app:
            super().put()


def deaf(target: Target) -> Target:
    """Return a target whose gateway serves on as it was."""
    assert isinstance(target, Docker)
    target.gateway = Deaf(target.project, target.server)
    return target


class Restless(ComposeGateway):
    """Takes its configuration in anew at each deploy, without a word to clients."""

    def put(self) -> None:
        """Let other workers take over, as `nginx -s reload` does."""
        super().put()
        found = self.project.find("gateway")
        if found is not None:
            self._reload(found)


def restless(target: Target) -> Target:
    """Return a target whose gateway is reloaded by each deploy."""
    assert isinstance(target, Docker)
    target.gateway = Restless(target.project, target.server)
    return target


def resolves_once(target: Target) -> Target:
    """Return a target whose gateway asks for the address of the app at its start alone."""
    assert isinstance(target, Docker)
    target.gateway = Once(target.project, target.server)
    return target


def recreates(target: Target) -> Target:
    """Return a target that deploys by `docker compose up`."""
    assert isinstance(target, Docker)
    return Recreating(target.context)


def tells(target: Target) -> Target:
    """Return a target whose app has a secret in its environment."""
    assert isinstance(target, Docker)
    target.project = Telling(*vars(target.project).values())
    return target


def without_pre_stop(target: Target) -> Target:
    """Return a target whose pods are told to end before anybody knows that they will."""

    def edit(raw: Raw) -> None:
        for container in _containers(raw):
            container.pop("lifecycle", None)

    return _edited(target, edit)


def one_pod_that_may_miss(target: Target) -> Target:
    """Return a target with a single pod, which goes before the next one is there."""

    def edit(raw: Raw) -> None:
        if _containers(raw):
            raw["spec"]["strategy"]["rollingUpdate"] = {"maxUnavailable": 1, "maxSurge": 0}

    return _edited(target, edit)


def without_budget(target: Target) -> Target:
    """Return a target whose pods may all be evicted at once."""

    def edit(raw: Raw) -> None:
        if raw["kind"] == "PodDisruptionBudget":
            raw["spec"]["maxUnavailable"] = "100%"

    return _edited(target, edit)


def blind(target: Target) -> Target:
    """Return a target whose autoscaler takes no pod for busy."""

    def edit(raw: Raw) -> None:
        if raw["kind"] == "HorizontalPodAutoscaler":
            raw["spec"]["metrics"][0]["resource"]["target"]["averageValue"] = "100"

    return _edited(target, edit)


def without_policy(target: Target) -> Target:
    """Return a target whose namespace takes whatever comes."""

    def edit(raw: Raw) -> None:
        if raw["kind"] == "Namespace":
            raw["metadata"]["labels"] = {NAME: "namespace"}

    return _edited(target, edit)


def by_root(target: Target) -> Target:
    """Return a target whose app is root's in its pods, and whose namespace takes them."""

    def edit(raw: Raw) -> None:
        if raw["kind"] == "Namespace":
            raw["metadata"]["labels"] = {NAME: "namespace"}
        if _containers(raw):
            own = raw["spec"]["template"]["spec"]["securityContext"]
            own.update(runAsNonRoot=False, runAsUser=0)

    return _edited(target, edit)


def with_token(target: Target) -> Target:
    """Return a target whose pods could ask the cluster as somebody."""

    def edit(raw: Raw) -> None:
        if _containers(raw):
            raw["spec"]["template"]["spec"]["automountServiceAccountToken"] = True

    return _edited(target, edit)


def always_ready(target: Target) -> Target:
    """Return a target whose pods are asked for nothing before they get requests."""

    def edit(raw: Raw) -> None:
        for container in _containers(raw):
            for name in ("startupProbe", "readinessProbe", "livenessProbe"):
                container.pop(name, None)

    return _edited(target, edit)


def _edited(target: Target, edit: Callable[[Raw], None]) -> Target:
    assert isinstance(target, K8s)
    target.edit = edit
    return target


def _containers(raw: Raw) -> list[Raw]:
    """Return those of the app's own Deployment; none of other objects."""
    if (raw["kind"], raw["metadata"]["name"]) != ("Deployment", "app"):
        return []
    return list(raw["spec"]["template"]["spec"]["containers"])
