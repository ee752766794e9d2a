"""Images on the nodes of a local cluster, which reaches no registry: brought from the engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from moorings import ui
from moorings.errors import MoorError
from moorings.services.engine import Engine
from moorings.services.kube_context import Context
from moorings.services.kubectl import Kubectl, at

#: Seconds for one image.
LOAD = 600.0


@dataclass(frozen=True)
class KubeImages:
    """Brings images to the nodes by the program that has made the cluster."""

    kubectl: Kubectl
    engine: Engine
    context: Context
    own: Callable[[str], None]
    """Loads an image into moor's own cluster."""

    #: By this process: a node says only after a while what it has got.
    _brought: ClassVar[set[tuple[str, str]]] = set()

    def bring(self, images: Mapping[str, str]) -> None:
        """See that all nodes have some images.

        :param images: by whatever name; the values count.
        :raises MoorError: where nobody knows how to bring one.
        """
        if self.kubectl.runner.dry or not self._brings:
            return
        there = self._there()
        for image in dict.fromkeys(images.values()):
            if image not in there and (self.context.server, image) not in self._brought:
                with ui.working(f"Loading {image} into the cluster"):
                    self._load(image)
                self._brought.add((self.context.server, image))

    @property
    def _brings(self) -> bool:
        """Whether anything has to be done: some clusters share the engine's images."""
        shares = self.context.name in ("docker-desktop", "rancher-desktop", "orbstack")
        # Who may not look at the nodes of a cluster elsewhere has pushed what they pull.
        return not shares and (self.context.local or self.kubectl.may("list", "nodes"))

    def _there(self) -> set[str]:
        """Return the images that every node says to have."""
        nodes = self.kubectl.get("nodes")
        each = [
            {str(name).removeprefix("docker.io/") for image in at(node, "status", "images") or ()
             for name in image.get("names") or ()}
            for node in nodes
        ]  # fmt: skip
        return set.intersection(*each) if each else set()

    def _load(self, image: str) -> None:
        name = self.context.name
        ways = {
            "kind": ["kind", "load", "docker-image", image, "--name", name.removeprefix("kind-")],
            "minikube": ["minikube", "image", "load", image],
            "k3d": ["k3d", "image", "import", image, "--cluster", name.removeprefix("k3d-")],
        }
        if self.context.kind in ways:
            self.kubectl.runner.run(
                ways[self.context.kind], timeout=LOAD, env=self.engine.environment
            )
        elif self.context.local:
            self.own(image)
        else:
            hint = "push it to a registry that the nodes reach, and kubectl apply -k by hand"
            raise MoorError(f"the nodes of {name} do not have the image {image}", hint=hint)
