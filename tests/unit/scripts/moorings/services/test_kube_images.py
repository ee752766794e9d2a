"""How an image comes to the nodes of a cluster: by whoever has made it, once, or not at all."""

import itertools
import json
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.errors import MoorError
from moorings.layout import Layout
from moorings.runner import Command, Result
from moorings.services.engine import Engine
from moorings.services.kube_context import Context
from moorings.services.kube_images import KubeImages
from moorings.services.kubectl import Kubectl

IMAGE = "moorings/shop:1"

#: What was brought is known for the length of a process: each test has a cluster of its own.
PORTS = itertools.count(30000)


class Client(RecordingRunner):
    """A cluster whose nodes have these images, of whom the operator may or may not ask."""

    def __init__(self, *nodes: list[str], may: bool = True) -> None:
        super().__init__()
        self.nodes = [{"status": {"images": [{"names": names}]}} for names in nodes]
        self.may = may

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        if "can-i" in command.argv:
            return Result(0 if self.may else 1)
        return Result(0, json.dumps({"items": self.nodes}) if "get" in command.argv else "")

    @property
    def did(self) -> list[str]:
        return [" ".join(argv) for argv in self.argvs if argv[0] != "kubectl"]


pytestmark = pytest.mark.usefixtures("links")


@pytest.fixture(autouse=True)
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubectl").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def own() -> list[str]:
    """What was loaded into moor's own cluster."""
    return []


def images(client: Client, own: list[str], name: str, host: str = "127.0.0.1") -> KubeImages:
    engine = Engine(client, Layout(Path("/nowhere"), Path("/nowhere"), "name"), {})
    context = Context(name, f"https://{host}:{next(PORTS)}")
    return KubeImages(Kubectl(client, {}), engine, context, own.append)


@pytest.mark.parametrize(
    ("name", "argv"),
    [
        ("kind-trial", f"kind load docker-image {IMAGE} --name trial"),
        ("minikube", f"minikube image load {IMAGE}"),
        ("k3d-trial", f"k3d image import {IMAGE} --cluster trial"),
    ],
)
def test_it_is_brought_by_who_made_the_cluster(name: str, argv: str, own: list[str]) -> None:
    client = Client([])
    images(client, own, name).bring({"APP": IMAGE})
    assert (client.did, own) == ([argv], [])


def test_a_cluster_of_moors_own_has_a_way_of_its_own(own: list[str]) -> None:
    client = Client([])
    images(client, own, "moorings", "10.213.0.2").bring({"APP": IMAGE})
    assert (client.did, own) == ([], [IMAGE])


def test_an_image_is_brought_once_by_whatever_names(own: list[str]) -> None:
    made = images(Client([]), own, "moorings", "10.213.0.2")
    made.bring({"APP": IMAGE, "OTHER": IMAGE})
    made.bring({"APP": IMAGE})
    assert own == [IMAGE]
    images(Client([]), own, "moorings", "10.213.0.2").bring({"APP": IMAGE})
    assert own == [IMAGE, IMAGE], "another cluster does not have it"


def test_what_every_node_has_is_not_brought(own: list[str]) -> None:
    both, one = [f"docker.io/{IMAGE}"], ["docker.io/library/other:1"]
    images(Client(both, [*both, *one]), own, "moorings", "10.213.0.2").bring({"APP": IMAGE})
    assert own == []
    images(Client(both, one), own, "moorings", "10.213.0.2").bring({"APP": IMAGE})
    assert own == [IMAGE]


@pytest.mark.parametrize("name", ["docker-desktop", "rancher-desktop", "orbstack"])
def test_some_clusters_have_the_images_of_the_engine(name: str, own: list[str]) -> None:
    client = Client([])
    images(client, own, name).bring({"APP": IMAGE})
    assert (client.argvs, own) == ([], [])


def test_a_cluster_elsewhere_must_have_it_already(own: list[str]) -> None:
    with pytest.raises(MoorError, match=f"nodes of shop do not have the image {IMAGE}") as refused:
        images(Client([]), own, "shop", "cluster.example").bring({"APP": IMAGE})
    assert "push it to a registry" in refused.value.hint
    images(Client([IMAGE]), own, "shop", "cluster.example").bring({"APP": IMAGE})


def test_who_may_not_look_at_nodes_elsewhere_has_pushed_it(own: list[str]) -> None:
    client = Client([], may=False)
    images(client, own, "shop", "cluster.example").bring({"APP": IMAGE})
    assert (client.did, own) == ([], [])


def test_a_dry_run_brings_nothing(own: list[str]) -> None:
    client = Client([])
    made = images(client, own, "kind-trial")
    client.dry = True
    made.bring({"APP": IMAGE})
    assert (client.argvs, own) == ([], [])
