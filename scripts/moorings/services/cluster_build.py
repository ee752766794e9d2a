"""What a cluster is made of: programs from Go's module proxy, and images of the node's own."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from moorings import packages
from moorings.runner import Runner
from moorings.services import go_build
from moorings.services.go_build import Build, Recipe

VERSION = "1.36.4"

#: The names by which the one program of Kubernetes is called.
KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler",
              "kubectl", "kubelet")  # fmt: skip

#: What a helper of volumes, or a person in a pod, calls BusyBox by.
APPLETS = ("cat", "chmod", "ls", "mkdir", "nc", "nslookup", "rm", "sh", "sleep", "test", "wget")

#: Docker's names of processors.
PROCESSORS = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Image:
    """An image of a few programs, without a system."""

    name: str
    entrypoint: tuple[str, ...]
    files: Mapping[str, Path]
    """Where each file of the host is in the image."""
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """What manifests call it."""
        return f"localhost/{self.name}:1"

    def write(self, file: Path) -> None:
        """Write it as an archive that engines load, with no engine at work."""
        layer = self._layer()
        digest = hashlib.sha256(layer).hexdigest()
        config = json.dumps(self._config(digest)).encode()
        name = f"{hashlib.sha256(config).hexdigest()}.json"
        manifest = [{"Config": name, "RepoTags": [self.tag], "Layers": ["layer.tar"]}]
        with tarfile.open(file, "w") as archive:
            _add(archive, name, config)
            _add(archive, "layer.tar", layer)
            _add(archive, "manifest.json", json.dumps(manifest).encode())

    def _layer(self) -> bytes:
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as layer:
            for place, source in self.files.items():
                _add(layer, place, source.read_bytes(), 0o755)
            for place, target in self.links.items():
                link = tarfile.TarInfo(place)
                link.type, link.linkname = tarfile.SYMTYPE, target
                layer.addfile(link)
        return stream.getvalue()

    def _config(self, layer: str) -> Mapping[str, object]:
        return {
            "architecture": PROCESSORS.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Entrypoint": list(self.entrypoint), "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        }


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


class Programs:
    """Finds or builds the programs of a cluster."""

    def __init__(self, parts: Path, cache: Path, runner: Runner) -> None:
        """Build nothing yet.

        :param parts: the folder whose `build` has them all in one Go module.
        """
        toolchain = parts.parent / "jaeger" / "build" / "go.txt"
        self.builds = {
            name: Build(
                Recipe(title, version, package, parts / "build", toolchain, count, stamp), name,
                cache, runner,
            )
            for name, title, version, package, count, stamp in RECIPES
        }  # fmt: skip

    @property
    def bin(self) -> Path:
        """The folder of Kubernetes' programs."""
        return self.builds["kube"].place

    @property
    def kubectl(self) -> str:
        """Kubernetes' client, of the same version."""
        return str(self.bin / "kubectl")

    def missing(self) -> list[str]:
        """Return what would have to be built."""
        return [build.title for build in self.builds.values() if not build.is_there()]

    def make(self) -> None:
        """Build what is missing.

        :raises BuildError: with the last lines of the build.
        """
        for build in self.builds.values():
            build.make()
        for name in KUBERNETES:
            with go_build.replacing(self.bin / name) as link:
                link.symlink_to("kube")

    def images(self) -> list[Image]:
        """Return the images that the node itself needs."""
        own = [Image(name, (f"/{name}",), {name: build.program})
               for name, build in self.builds.items() if name != "kube"]  # fmt: skip
        # Both are linked statically, so that they need nothing else.
        pause = Image("pause", ("/pause", "-P"), {"pause": Path(packages.find("catatonit"))})
        shell = Image("busybox", ("/bin/sh",), {"bin/busybox": Path(packages.find("busybox"))},
                      {f"bin/{name}": "busybox" for name in APPLETS})  # fmt: skip
        return [pause, shell, *own]


#: Name, title, version, Go package, packages that it counts, and the stamp of the version.
RECIPES = (
    ("kube", "Kubernetes", VERSION, "./kube", 2737,
     f"k8s.io/component-base/version.gitVersion=v{VERSION}"),
    ("coredns", "CoreDNS", "1.13.1", "./coredns", 766, ""),
    ("metrics-server", "metrics-server", "0.9.0",
     "sigs.k8s.io/metrics-server/cmd/metrics-server", 1318, ""),
    ("local-path-provisioner", "local-path-provisioner", "0.0.30",
     "github.com/rancher/local-path-provisioner", 737, ""),
)  # fmt: skip
