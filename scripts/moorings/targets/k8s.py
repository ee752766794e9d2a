"""Pods of one Kubernetes cluster: a release is proved in a pod of its own, then rolled out."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from moorings import addresses, cluster, lifecycle, probe, service, ui
from moorings.contract.outcome import Limit
from moorings.errors import MoorError
from moorings.packages import Supply
from moorings.services import (
    app_env,
    cluster_needs,
    kube_leftovers,
    kube_logs,
    kube_others,
    kube_own,
    kube_pods,
    kube_progress,
    kube_secrets,
)
from moorings.services.app_images import AppImages
from moorings.services.cluster import Cluster
from moorings.services.engine import Engine
from moorings.services.jaeger import Jaeger
from moorings.services.kube_beside import COSTLY, Beside
from moorings.services.kube_candidate import Candidate
from moorings.services.kube_check import Check
from moorings.services.kube_chosen import Chosen
from moorings.services.kube_context import Context as KubeContext
from moorings.services.kube_database import KubeDatabase
from moorings.services.kube_endpoints import KubeEndpoints
from moorings.services.kube_flag import Flag
from moorings.services.kube_fleet import Fleet
from moorings.services.kube_forwards import Forwards
from moorings.services.kube_images import KubeImages
from moorings.services.kube_jaeger import of_namespace
from moorings.services.kube_job import Job
from moorings.services.kube_kind import Kind
from moorings.services.kube_lease import Lease
from moorings.services.kube_manifests import (
    LAST,
    ManifestError,
    Manifests,
    Wanted,
    mark,
    name_of,
    pod_grace,
    versions,
)
from moorings.services.kube_pods import RELEASE
from moorings.services.kube_removal import Removal
from moorings.services.kube_rollout import Revisions, Rollout
from moorings.services.kubectl import Kubectl, Raw, at
from moorings.settings import option
from moorings.sources import Sources
from moorings.target import Context, Endpoints, Instance, Need, Release

#: The parts of the checkout of which a release is made: its image, and its manifests.
PARTS = ("service/runtime", "service/requirements", "deploy/docker",
         "deploy/gunicorn", "deploy/uwsgi", "deploy/apache", "deploy/k8s",
         "deploy/parts/nginx", "deploy/parts/jaeger", "deploy/parts/postgres")  # fmt: skip

#: Seconds that what the app leans on may take to come up, a Job, and an end beyond its grace.
LEAN, JOB, BEYOND = 180.0, 600.0, 30.0

#: Characters of the longest name of a namespace.
LONGEST = 63

#: What is applied before the app, in this order: the first makes the namespace.
GROUND = ("namespace", "serviceaccount", "networkpolicy")
PARTS_OF_IT = ("app", "gateway")

#: All that has a place in a deploy; what else manifests say is the operator's own.
PLACED = (*GROUND, "config", "postgres", "jaeger", "migration", *PARTS_OF_IT)


@dataclass(frozen=True)
class Options:
    """Section [k8s] of moor.toml."""

    context: str = option(
        "", "context of kubectl; empty: the current one, where it is of a cluster on this machine"
    )
    server: str = option(
        "gunicorn", "server of the image", make="SERVER", choices=("gunicorn", "uwsgi", "apache")
    )
    images: str = option(
        "debian",
        "base images: debian makes them from Debian's packages, public takes the public ones",
        choices=("debian", "public"),
    )
    replicas: int = option(2, "pods of the app at least", least=1)
    most: int = option(
        6, "pods of the app at most, under load; k8s.replicas, where that is more", least=1
    )

    @property
    def bounds(self) -> tuple[int, int]:
        """Pods at least and at most."""
        return self.replicas, max(self.most, self.replicas)


#: For the grid: as many as there are, so that a load changes nothing.
COLUMNS = {"k8s": {"k8s.replicas": 2, "k8s.most": 2}}

#: Known limits, by the check that shows them.
LIMITS = {
    "secure.policy": Limit(
        "CNI's plug-in bridge, the network of moor's own cluster, enforces no NetworkPolicy",
        "https://kubernetes.io/docs/concepts/services-networking/network-policies/#prerequisites",
        "on moor's own cluster",
        r"^gateway reaches postgres, .*: the network of moor's own cluster enforces none$",
        # On any other cluster of the same column it has to pass.
        always=False,
    ),
}


class K8s:
    """Its primitives."""

    name = "k8s"
    column = "k8s"
    hops = 1
    #: Its pods boot once more in the rollout.
    proved_serves = False
    #: A rollout has pods of both behind one Service.
    mixes = True

    def __init__(self, context: Context) -> None:
        """Ask nothing."""
        self.context = context
        self.options = context.settings.of(self.name, Options)
        self.server = context.settings.server
        self.home = context.layout.home / "k8s"
        named, note = self.options.context, self.home / "context"
        self.chosen = Chosen(context.layout, context.runner, self.namespace, named, note)
        self.sources = Sources(context, PARTS)
        self.engine = Engine(context.runner, context.layout, os.environ)
        chosen = (self.options.server, self.sources, self.options.images, "k8s.images")
        self.images = AppImages(context, self.engine, *chosen)
        self._bases: dict[str, str] | None = None
        self._rendered: dict[str, list[Raw]] = {}
        self._checked: set[str] = set()
        self.edit: Callable[[Raw], None] = as_it_is

    @property
    def longest_stop(self) -> float:
        """Return the seconds that the cluster gives a pod of the gateway, then one of the app."""
        return 2.0 * pod_grace(self.server)

    @property
    def namespace(self) -> str:
        """The deployment's own, so that two checkouts never meet."""
        whole = f"moorings-{self.context.layout.name}"
        if len(whole) <= LONGEST:
            return whole
        # Two long names may begin alike.
        digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
        return f"{whole[: LONGEST - 9].rstrip('-')}-{digest}"

    @property
    def cluster(self) -> KubeContext | None:
        """The context that is in force."""
        return self.chosen.cluster

    @property
    def kubectl(self) -> Kubectl:
        """The cluster, in the namespace of this deployment."""
        return self.chosen.kubectl

    @property
    def forwards(self) -> Forwards:
        """Ways from this host into the cluster."""
        return Forwards(self.kubectl, self.home / "forwards")

    @cached_property
    def where(self) -> KubeEndpoints:
        """Where clients reach it."""
        return KubeEndpoints(self.kubectl, self.forwards)

    @cached_property
    def _candidate(self) -> Candidate:
        return Candidate(self.kubectl, self.forwards, self.home)

    @property
    def _flag(self) -> Flag:
        return Flag(self.kubectl, self.where, self.home)

    def held(self, doing: str) -> AbstractContextManager[None]:
        """Hold the lease of the namespace, once the cluster is one that may be changed."""
        if self.context.runner.dry or not self.chosen.there():
            return nullcontext()
        self.chosen.require()
        return Lease(self.kubectl, self.home).held(doing)

    def fleet(self) -> Fleet:
        """Its pods, for who lets them come and go."""
        return Fleet(self.kubectl, self.home)

    def database(self) -> KubeDatabase:
        """Return PostgreSQL, past the app."""
        return KubeDatabase(self.kubectl)

    def data_in(self, folder: Path) -> None:
        """Return none: its data is in a volume of the cluster's."""

    def needs(self) -> list[Need]:
        """Want a cluster that may be touched and answers, and an engine for the images."""
        unmeant = self._unmeant()
        if unmeant:
            return unmeant
        startable = self._startable()
        if startable is not None:
            return [startable, *self.images.needs()]
        needs = self._of_cluster()
        return [*needs, *self.images.needs()] if needs[0].there else needs

    def _unmeant(self) -> list[Need]:
        """Want no setting that means nothing here: it would be taken and ignored."""
        settings, found = self.context.settings, []
        if self.server.socket:
            found.append(addresses.PORT_ALONE)
        if settings.gateway.kind == "none":
            fact = "clients reach the pods of the app by the gateway alone"
            found.append(Need(fact, False, "leave gateway.kind empty"))
        if settings.jaeger.storage != "memory" and not self._told:
            how = "leave jaeger.storage as it is; docs/scale-out.md has the component jaeger-badger"
            found.append(Need("Jaeger in a pod keeps traces in memory", False, how))
        return found

    def _startable(self) -> Need | None:
        """Want one that may be started, where there is none: by kind, else one of moor's own."""
        kind = Kind(self.engine)
        if self.chosen.lacks(kind.context) and kind.at_hand():
            return replace(kind.need(self.chosen.need()), remedy=partial(self._on_new, kind.use))
        if not self.chosen.none_at_all:
            return None
        return replace(
            self.chosen.need(),
            packages=tuple(sorted(set(cluster_needs.PROGRAMS.values()))),
            remedy=partial(self._on_new, self._throwaway),
            offer="build a Kubernetes for this machine (minutes, once), and start it",
        )

    def _of_cluster(self) -> list[Need]:
        """Want one that may be touched, that answers, and that has room for a namespace of ours."""
        first = self.chosen.need()
        if not first.there:
            return [first]
        answers = self.chosen.answers()
        return [first, answers, *([kube_others.need(self.kubectl)] if answers.there else [])]

    def _on_new(self, start: Callable[[], None]) -> None:
        """Start a cluster, where there is none at hand, and go on with it."""
        start()
        if self.context.runner.dry:
            return
        self.chosen.forget()
        self.__dict__.pop("where", None)
        lifecycle.require(self._of_cluster())

    def _throwaway(self) -> None:
        if self.context.runner.dry:
            ui.command(["./moor", "cluster", "up"])
            return
        cluster.start(self.context.layout, self.context.runner, yes=True)

    def version(self) -> Release:
        """Name the version by what the image and the manifests are made of, and its server."""
        made = self.sources.version()
        return Release(f"{made.version}-{self.options.server}", made.commit)

    def build(self, release: Release) -> None:
        """Make the image, and see that the nodes have it and those that it leans on.

        :raises MoorError: where the cluster would not take the manifests; no image is built then.
        """
        self.sources.copy(release.version)
        self._check(release)
        self.images.build(release)
        self._bring(self._images_of(release))

    def _check(self, release: Release) -> None:
        """See once of a release that the cluster takes all of its manifests."""
        if self.context.runner.dry or mark(release) in self._checked:
            return
        # Which images they name changes nothing, and those may have to be made first.
        objects = self._rendering(release, {})
        Check(self.kubectl, self.home).takes(objects)
        self._checked.add(mark(release))

    def _images_of(self, release: Release) -> dict[str, str]:
        images = {"APP": self.images.name(release.version), **self._stand_ins()}
        return {name: image for name, image in images.items() if name != "BASE_IMAGE"}

    def _bring(self, images: dict[str, str]) -> None:
        if self.cluster is None:
            return
        KubeImages(self.kubectl, self.engine, self.cluster, self._load).bring(images)

    def throwaway(self) -> Cluster | None:
        """Return the cluster, where it is one of moor's own."""
        if self.cluster is None:
            return None
        return kube_own.at_address(self.context.layout, self.context.runner, self.cluster.server)

    def engine_in_use(self) -> str:
        """Return why the kubelet is not to be restarted: empty where the cluster is moor's."""
        return "" if self.throwaway() else "the nodes of this cluster are not moor's"

    def restart_engine(self) -> None:
        """Restart the kubelet; the pods run on meanwhile."""
        own = self.throwaway()
        assert own is not None
        own.restart("kubelet")

    def _load(self, image: str) -> None:
        assert self.cluster is not None
        layout, runner = self.context.layout, self.context.runner
        kube_own.load(layout, runner, self.cluster.server, image, self.engine)

    def _stand_ins(self) -> dict[str, str]:
        if self._bases is None:
            self._bases = self.images.bases()
        return self._bases

    def built(self) -> set[str]:
        """Return the versions whose image the engine has, with their manifests."""
        return self.images.built() & self.sources.there()

    def remove(self, version: str) -> None:
        """Remove an image, and what the cluster still has of its release."""
        self.images.remove(version)
        if self.cluster is not None and not self.context.runner.dry:
            kube_leftovers.remove(self.kubectl, version)

    def _objects(self, release: Release, *names: str) -> list[Raw]:
        """Return the objects of a release that belong to some parts, in the order of these."""
        return _chosen(self._all(release), names)

    def _all(self, release: Release) -> list[Raw]:
        if self.context.runner.dry:
            return []
        known = mark(release)
        if known not in self._rendered:
            self._rendered[known] = self._rendering(release, self._stand_ins())
        return self._rendered[known]

    def _rendering(self, release: Release, images: Mapping[str, str]) -> list[Raw]:
        manifests = self._manifests(release)
        manifests.write(self._what(release, images))
        objects = manifests.objects()
        for one in objects:
            self.edit(one)
        return objects

    def _manifests(self, release: Release) -> Manifests:
        self._prepare()
        source = self.sources.folder(release.version)
        return Manifests(self.kubectl, source, self.home / "secrets")

    def _prepare(self) -> None:
        """Make its folder, its secrets at first use, and note which cluster it is on."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        kube_secrets.adopt(self.kubectl, self.home / "secrets")
        make = str(self.context.layout.root / "deploy" / "docker" / "secrets.sh")
        argv = [make, str(self.home / "secrets")]
        self.context.runner.run(argv, timeout=10, quiet=True)
        self.chosen.remember()

    def _what(self, release: Release, images: Mapping[str, str]) -> Wanted:
        return Wanted(
            namespace=self.namespace,
            release=app_env.inside(self.context.settings, release),
            image=self.images.name(release.version),
            images=images,
            server=self.server,
            replicas=self.options.bounds[0],
            most=self.options.bounds[1],
        )

    def _apply(self, objects: list[Raw], step: str) -> None:
        self.kubectl.apply(objects, self.home / f"{step}.json")

    def migrate(self, release: Release, command: str) -> None:
        """Start what the app leans on, and run the migrations as the role that owns the schema."""
        self._once(release, service.words(command), "migration", JOB)

    def accepts(self, release: Release) -> None:
        """Ask the app's READY once, in a Job of the release."""
        most = self.server.boot_timeout
        words = ["python3", "-m", "runtime.ready", str(most)]
        self._once(release, words, "acceptance", most + 60)

    def _once(self, release: Release, words: list[str], name: str, timeout: float) -> None:
        self._bring(self._images_of(release))
        self._lean(release)
        for raw in self._objects(release, "migration"):
            raw["metadata"]["name"] = f"{name}-{release.version}"[:63].rstrip("-")
            raw["metadata"]["labels"] |= versions(release)
            raw["spec"]["template"]["spec"]["containers"][0]["command"] = words
            Job(self.kubectl, raw).run(self.home / f"{name}.json", timeout)

    def _lean(self, release: Release) -> None:
        """Start what the app leans on, unless it runs, and wait until it is ready."""
        self._check(release)
        own = [one for one in self._all(release) if name_of(one) not in PLACED]
        self._apply([*self._ground(release, "config"), *own], "ground")
        self._apply(self._beside.but_running(self._objects(release, *self._leans)), "lean")
        for name in self._leans:
            self._watch("statefulset" if name == "postgres" else "deployment", name, LEAN)

    @property
    def _leans(self) -> tuple[str, ...]:
        return ("postgres",) if self._told else ("postgres", "jaeger")

    @property
    def _beside(self) -> Beside:
        return Beside(self.kubectl, self.home)

    def interrupts(self) -> list[str]:
        """Return what would have to be made anew while clients wait, and why."""
        try:
            found = self._changes() if self.live() else []
        except ManifestError:
            # The deploy itself says so, and what is left as it was; it changes nothing before.
            return []
        return [f"{COSTLY} ({why})" for one, why in found if name_of(one) == COSTLY]

    def renew(self) -> None:
        """Make anew what the app leans on and is not as the working tree would make it."""
        self._take_back()
        self._keep_bounds()
        for one, why in self._changes():
            name, kind = name_of(one), one["kind"].lower()
            with ui.working(f"Making {name} anew: {why}"):
                self._apply([one], "renewed")
                self._watch(kind, name, LEAN)
            ui.good(f"made {name} anew: {why}")

    def _keep_bounds(self) -> None:
        """Set what the name of a release that runs does not tell: how many pods there are."""
        live = self.live()
        if live is None or live.version != self.version().version:
            return
        lifecycle.require(self._unmeant())
        low, high = self.options.bounds
        wanted = {"minReplicas": low, "maxReplicas": high}
        found = self.kubectl.find("horizontalpodautoscaler", "app")
        if found is None or found["spec"].items() >= wanted.items():
            return
        patch = json.dumps({"spec": wanted})
        self.kubectl.do("patch", "horizontalpodautoscaler", "app", "--patch", patch)
        ui.good(f"the autoscaler keeps {low} to {high} pods of the app")

    def _take_back(self) -> None:
        """Undo what is left of a rollout that was cut off: it would go on by itself some day."""
        if self.context.runner.dry or not self.chosen.there():
            return
        found = self.kubectl.every("deployments,replicasets")
        cut = [name for name in PARTS_OF_IT if kube_progress.of(found, name).halfway]
        if cut:
            Revisions.now(self.kubectl, cut).undo(self._patience)

    def _changes(self) -> list[tuple[Raw, str]]:
        release, live = self.version(), self.live()
        # The live release has the same manifests, and nothing may be at hand to make images.
        if self.context.runner.dry or (live is not None and live.version == release.version):
            return []
        if not self.kubectl.require("namespace", self.namespace):
            return []
        self.sources.copy(release.version)
        return list(self._beside.changed(self._objects(release, *self._leans)))

    def _ground(self, release: Release, more: str) -> list[Raw]:
        """Return what the rest lies on; the namespace's policy may be an administrator's alone."""
        objects = self._objects(release, *GROUND, more)
        if self.kubectl.may("patch", "namespaces"):
            return objects
        return [one for one in objects if one["kind"] != "Namespace"]

    def bring_up_jaeger(self) -> None:
        """Start Jaeger alone, unless it runs."""
        release = self.live() or self.version()
        lifecycle.require(self.needs(), Supply(self.context.runner, self.context.layout.state))
        self.sources.copy(release.version)
        images = {"JAEGER_IMAGE": self._stand_ins().get("JAEGER_IMAGE", "")}
        self._bring({name: image for name, image in images.items() if image})
        self._apply(self._beside.but_running(self._ground(release, "jaeger")), "jaeger")
        self._watch("deployment", "jaeger", LEAN)

    def _watch(self, kind: str, name: str, timeout: float) -> None:
        if not self.context.runner.dry:
            Rollout(self.kubectl, kind, name).watch(timeout)

    @property
    def _told(self) -> bool:
        """Whether the settings name a Jaeger or a collector that is there already."""
        jaeger = self.context.settings.jaeger
        return bool(jaeger.endpoint or jaeger.url)

    def start(self, release: Release) -> None:
        """Start a pod of it that no Service knows."""
        self._bring(self._images_of(release))
        self._lean(release)
        for one in self._objects(release, "app"):
            if one["kind"] == "Deployment":
                self._candidate.start(one, self.server.boot_timeout)

    def prove_url(self, release: Release) -> str:
        """Ask the pod of it, by a way of its own into the cluster."""
        if self.context.runner.dry:
            return ""
        return self._candidate.url

    def alive(self, release: Release) -> bool:
        """Tell whether it runs, and no worker of it was replaced."""
        return self._candidate.alive()

    def switch(self, release: Release) -> None:
        """Roll it out, and see that clients then reach it; undo it where it does not get on."""
        objects = self._objects(release, *PARTS_OF_IT)
        if not objects:
            return
        self._candidate.remove(wait=False)
        before = Revisions.now(self.kubectl, PARTS_OF_IT)
        try:
            self._roll_out(objects, first=not before.known["app"])
            self._flag.serves(release.version, BEYOND)
            self._candidate.remove()
        except BaseException as problem:
            if isinstance(problem, MoorError) and not problem.log:
                problem.log = self.logs(200, release)
            before.undo(self._patience)
            raise

    def _roll_out(self, objects: list[Raw], first: bool) -> None:
        self._apply(objects, "app")
        if first:
            # After this the HorizontalPodAutoscaler has the number.
            scale = f"--replicas={self.options.replicas}"
            self.kubectl.do("scale", "deployment/app", scale)
        for name in PARTS_OF_IT:
            Rollout(self.kubectl, "deployment", name).watch(self._patience)
        self.where.forget()

    @property
    def _patience(self) -> float:
        """Seconds of a whole rollout: each pod has its own deadline, which the cluster keeps."""
        return (self.server.boot_timeout + BEYOND) * max(self.options.bounds[1], 2)

    def retire(self, release: Release) -> None:
        """Wait until its pods, which the rollout has told to end, have drained."""
        self._candidate.remove()
        if self.context.runner.dry or self.live() == release:
            return
        with ui.working("Draining"):
            probe.until(
                lambda: True if self.kubectl.gone("pods", *_of(release)) else None,
                what="the pods of the other release to end",
                timeout=self._drain,
                every=0.3,
                last=lambda: f"{len(self._pods_of(release))} pods",
            )

    @property
    def _drain(self) -> float:
        """Seconds within which a pod that was told to end has drained."""
        return self.server.keep_alive + self.server.grace + LAST + BEYOND

    def _pods_of(self, release: Release) -> list[Raw]:
        return self.kubectl.get("pods", *_of(release))

    def live(self) -> Release | None:
        """Return the release of the pods that clients reach, where some of the gateway are ready.

        :raises CommandError: where the cluster does not say.
        """
        if not self.chosen.there():
            return None
        found = self.kubectl.every("deployments,replicasets")
        app, before = (kube_progress.of(found, name).serving for name in PARTS_OF_IT)
        if not app or not before:
            return None
        told = at(app, "spec", "template", "metadata", "annotations", RELEASE)
        return Release.of_label(str(told or ""))

    def reload(self, release: Release) -> None:
        """Let pods with the new settings take over, once one of them was seen to be ready."""
        old = self.live()
        boot = self.server.boot_timeout
        try:
            self.start(release)
            if not self.context.runner.dry:
                probe.http(f"{self.prove_url(release)}/readyz", what="the app", timeout=boot)
            self.switch(release)
        except BaseException:
            self._tidy()
            raise
        if old is not None and old != release:
            self.retire(old)

    def _tidy(self) -> None:
        """Take the candidate away; what goes wrong here hides nothing of why."""
        try:
            self._candidate.remove()
        except MoorError as late:
            ui.warn(f"the pod of the proof was not taken away: {late.fact}")

    def instances(self) -> list[Instance]:
        """Return the processes of the pods, or the pods where they are on other machines."""
        return kube_pods.instances(self._pods())

    def kept(self) -> set[str]:
        """Return where a container has a volume that was claimed."""
        return {place for pod in self._pods() for place in kube_pods.claimed(pod)}

    def _pods(self) -> list[Raw]:
        return self.kubectl.get("pods") if self.cluster is not None else []

    def beside(self) -> list[str]:
        """Return the parts that are there, whether they come up or not: the cluster goes on trying.

        :raises CommandError: where the cluster does not say.
        """
        if not self.chosen.there():
            return []
        mine = ("--selector", "app.kubernetes.io/part-of=moorings")
        found = self.kubectl.every("deployments,statefulsets,jobs", *mine)
        # A Job that has ended is a note of it.
        there = [one for one in found if one["kind"] != "Job" or at(one, "status", "active")]
        return sorted({name_of(one) for one in there})

    def strays(self) -> list[str]:
        """Return none: the cluster itself knows all that runs."""
        return []

    def data(self) -> list[str]:
        """Return the claims of volumes."""
        found = self.kubectl.get("persistentvolumeclaims") if self.cluster is not None else []
        return [str(at(one, "metadata", "name")) for one in found]

    def logs(self, lines: int = 100, release: Release | None = None) -> str:
        """Return the newest lines of the app and the gateway, or of a release beside it."""
        if release is not None:
            return kube_logs.of(self.kubectl, self._pods_of(release), lines)
        return kube_logs.of_deployment(self.kubectl, self._pods(), lines)

    def down(self, volumes: bool = False) -> None:
        """Drain the gateway, then the app; remove the rest, the namespace with the data if told."""
        there = self.chosen.there() and self.kubectl.require("namespace", self.namespace)
        self.forwards.end_all()
        self.where.forget()
        if there:
            Removal(self.kubectl, self._drain).do(volumes)
        layout = self.context.layout
        for version in self.images.built():
            self.images.remove(version)
        for folder in (layout.releases, layout.run, layout.logs):
            self.context.runner.remove(folder)
        if volumes:
            self.context.runner.remove(self.home)
        elif self.cluster is None and not self.context.runner.dry:
            # Its context is gone, so that nobody can go back to it.
            self.chosen.note.unlink(missing_ok=True)

    def endpoints(self) -> Endpoints:
        """Return where the gateway answers, if it runs."""
        return self.where.all() if self.cluster is not None else Endpoints("")

    def maintain(self, on: bool) -> None:
        """Let the gateway answer for the app, or no longer; a ConfigMap has the flag."""
        lifecycle.require([self.chosen.need()])
        self._flag.put(on)


def as_it_is(raw: Raw) -> None:
    """Change nothing in an object; a control of the contract does."""


def _of(release: Release) -> tuple[str, str]:
    return "--selector", f"moorings.mark={mark(release)}"


def _chosen(objects: list[Raw], names: tuple[str, ...]) -> list[Raw]:
    return [deepcopy(one) for name in names for one in objects if name_of(one) == name]


def create(context: Context) -> K8s:
    """Return the target."""
    return K8s(context)


def jaeger(context: Context, target: K8s) -> Jaeger:
    """Return the namespace's own Jaeger, unless the settings name another one."""
    return of_namespace(context, target, target.bring_up_jaeger)
