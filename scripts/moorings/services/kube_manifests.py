"""The manifests of one release: its own copy of deploy/k8s, and one overlay beside `dev`.

The overlay says what the settings say; nothing is made from a template, and
`kubectl kustomize` shows the whole.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from moorings import gateway_files, guarded
from moorings.errors import MoorError
from moorings.gateway_files import Behind
from moorings.services.app_env import of_migration
from moorings.services.kube_pods import NAME, RELEASE
from moorings.services.kubectl import MANAGER, Kubectl, Raw, at, stream
from moorings.settings import Server
from moorings.target import Release

#: Seconds that a pod may take for its last spans beyond its grace period, and that the drain is
#: announced beyond the time for which a client may be idle.
LAST, MARGIN = 6, 1

#: Seconds that a pod has to boot, at least: it may be slower than the one that was proved, on a
#: node with more to do. In the manifests too, so that by the default no pod is another one.
BOOTS = 120

#: What a release is named by in labels.
VERSION = "moorings.version"

#: The same, as all programs know it: of what is made anew with each release, and of no Deployment,
#: whose own labels an undo does not set back.
#: https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
KNOWN_VERSION = "app.kubernetes.io/version"

#: What moor applies: objects alone, as pods would be made anew for another label.
OURS = {"app.kubernetes.io/part-of": "moorings", "app.kubernetes.io/managed-by": MANAGER}

#: The image of the app, as the manifests name it, and of the parts by the variable of its stand-in.
SHOP = "moorings/shop"
IMAGES = {
    "NGINX_IMAGE": "nginx",
    "POSTGRES_IMAGE": "postgres",
    "JAEGER_IMAGE": "jaegertracing/jaeger",
}

#: Where nginx listens in its pod, and where its flags are.
PUBLIC, INNER, FLAGS = 8080, 8081, Path("/flags")

BEHIND = Behind(
    files=Path(),
    colours=("app", "app"),  # a group of upstreams.conf
    protocol="http",
    public=Path("/var/empty"),
    flags=FLAGS,
    inside="0.0.0.0",  # of its pod: no Service leads there
    more=("access_log /dev/stdout line;",),
)
DRAIN = Path("/run/gateway/drain")

#: Where the copies lie in the source of a release.
OVERLAYS = Path("deploy/k8s/overlays")


class ManifestError(MoorError):
    """Manifests that kustomize cannot read."""


@dataclass(frozen=True)
class Wanted:
    """What differs from the overlay `dev`."""

    namespace: str
    release: Release
    image: str
    images: Mapping[str, str]
    """Stand-ins of the public images, by their variable."""
    server: Server
    replicas: int
    most: int


@dataclass(frozen=True)
class Manifests:
    """Writes the overlay of a release, and reads what it comes to."""

    kubectl: Kubectl
    source: Path
    """Of the release."""
    secrets: Path

    @property
    def folder(self) -> Path:
        """What `kubectl apply --kustomize` takes."""
        return self.source / OVERLAYS / "moor"

    def write(self, wanted: Wanted) -> None:
        """Write the overlay; only this user may read it, as settings may be secrets."""
        self._lend_secrets()
        self.folder.mkdir(mode=0o700, exist_ok=True)
        local = gateway_files.local(BEHIND, wanted.server, str(PUBLIC), INNER, DRAIN)
        guarded.leave(self.folder / "local.conf", local, None)
        # JSON is YAML too.
        text = json.dumps(overlay(wanted), indent=1)
        guarded.leave(self.folder / "kustomization.yaml", text, None)

    def _lend_secrets(self) -> None:
        """Copy the secrets to where the overlay `dev` reads them."""
        folder = self.source / OVERLAYS / "dev" / "secrets"
        folder.mkdir(mode=0o700, exist_ok=True)
        for file in self.secrets.iterdir():
            there = folder / file.name
            there.unlink(missing_ok=True)
            shutil.copy2(file, there)

    def objects(self) -> list[Raw]:
        """Return all objects that the overlay comes to.

        :raises ManifestError: with what kustomize says of a file that it cannot read.
        """
        said = self.kubectl.ask(
            "create", "--dry-run=client", "--output", "json", "--kustomize", str(self.folder)
        )
        if said.status != 0:
            hint = "mend deploy/k8s; after make secrets: kubectl kustomize deploy/k8s/overlays/dev"
            fact = f"the manifests cannot be used: {self._why(said.output)}"
            raise ManifestError(fact, log=said.output.strip(), hint=hint)
        return stream(said.output)

    def _why(self, said: str) -> str:
        """Return what kustomize says of the innermost folder: it begins with the outermost."""
        last = (said.strip().splitlines() or ["nothing was said"])[-1]
        _, _, inner = last.replace(f"{self.source}/", "").rpartition("path '")
        return inner.replace("': ", ": ", 1).replace("accumulating resources: ", "")


def mark(release: Release) -> str:
    """Return what the pods of a release are known by: a label, which has an end and a length."""
    return f"{release.version[:48]}.{release.settings}".rstrip(".")


def versions(release: Release) -> dict[str, str]:
    """Return the labels of what goes with a release."""
    return {VERSION: release.version, KNOWN_VERSION: release.version}


def name_of(raw: Raw) -> str:
    """Return which part an object belongs to."""
    return str(at(raw, "metadata", "labels", NAME) or "")


def overlay(wanted: Wanted) -> Raw:
    """Return the kustomization of a release."""
    release = wanted.release
    tag, _, version = wanted.image.rpartition(":")
    images = [{"name": SHOP, "newName": tag, "newTag": version}]
    for variable, name in IMAGES.items():
        if variable in wanted.images:
            place, _, digest = wanted.images[variable].rpartition(":")
            images.append({"name": name, "newName": place, "newTag": digest})
    own = {"labels": {NAME: "config", **versions(release)}, "immutable": True}
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": wanted.namespace,
        "resources": ["../dev"],
        "labels": [{"pairs": OURS}],
        "images": images,
        "secretGenerator": [
            {"name": "settings", "literals": _literals(release.env), "options": own}
        ],
        "configMapGenerator": [
            {"name": "gateway", "behavior": "merge", "files": ["local.conf"]},
        ],
        "patches": [{"patch": json.dumps(one)} for one in _patches(wanted)],
    }


def _literals(env: Mapping[str, str]) -> list[str]:
    # In quotes, as kustomize takes those of a value away.
    return [f'{name}="{value}"' if value[:1] in "'\"" else f"{name}={value}"
            for name, value in sorted(env.items())]  # fmt: skip


def _patches(wanted: Wanted) -> list[Raw]:
    server, release = wanted.server, wanted.release
    known = {
        "annotations": {RELEASE: release.label},
        "labels": {**versions(release), "moorings.mark": mark(release)},
    }
    reads = [{"configMapRef": {"name": "app"}}, {"secretRef": {"name": "settings"}}]
    # It is asked each second.
    boots = {"failureThreshold": max(server.boot_timeout, BOOTS)}
    app = {
        "metadata": {"annotations": {RELEASE: release.label}},
        "spec": {
            # It was proved before: what is left is that it boots once more.
            "minReadySeconds": 1,
            "progressDeadlineSeconds": max(int(server.boot_timeout), 2),
            "template": {
                "metadata": known,
                "spec": {
                    "terminationGracePeriodSeconds": pod_grace(server),
                    "containers": [{"name": "app", "envFrom": reads, "startupProbe": boots}],
                },
            },
        },
    }
    own = [{"name": name, "value": value} for name, value in of_migration(release).items()]
    migration = {"name": "migration", "envFrom": reads, **({"env": own} if own else {})}
    job = {"spec": {
        "backoffLimit": 0,
        "template": {"spec": {"containers": [migration]}},
    }}  # fmt: skip
    hpa = {"spec": {"minReplicas": wanted.replicas, "maxReplicas": wanted.most}}
    return [
        _patch("apps/v1", "Deployment", "app", app),
        _patch("apps/v1", "Deployment", "gateway", _gateway(server)),
        _patch("batch/v1", "Job", "migration", job),
        _patch("autoscaling/v2", "HorizontalPodAutoscaler", "app", hpa),
    ]


def idle(server: Server) -> int:
    """Return the seconds of preStop: after these no client's idle connection is open."""
    return server.keep_alive + MARGIN


def pod_grace(server: Server) -> int:
    """Return the seconds after which the cluster ends a pod by force: preStop is within them."""
    return idle(server) + server.grace + LAST


def _gateway(server: Server) -> Raw:
    stop = f"touch {DRAIN} && sleep {idle(server)}"
    own = f"worker_processes 2; worker_shutdown_timeout {server.grace}s;"
    command = ["nginx", "-p", "/run/gateway", "-c", "/etc/gateway/nginx.conf", "-e", "stderr"]
    container = {
        "name": "gateway",
        "command": [*command, "-g", own],
        "lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", stop]}}},
    }
    spec = {
        "terminationGracePeriodSeconds": pod_grace(server),
        "containers": [container],
    }
    return {"spec": {"template": {"spec": spec}}}


def _patch(version: str, kind: str, name: str, patch: Raw) -> Raw:
    metadata = {"name": name, **patch.get("metadata", {})}
    return {"apiVersion": version, "kind": kind, **patch, "metadata": metadata}
