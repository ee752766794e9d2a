"""Where kubectl knows no cluster, kind makes one: asked first, said, and undone by `down --all`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings import deployment, lifecycle, machine
from moorings.errors import CommandError, NeedError
from moorings.layout import Layout
from moorings.machine import Item
from moorings.packages import Supply
from moorings.runner import Command, Result
from moorings.services.engine import Engine
from moorings.services.kube_kind import Kind
from moorings.targets.k8s import K8s

ROOT = Path(__file__).resolve().parents[5]

GET = "kind get clusters"
CREATE = "kind create cluster --name shop --wait 120s"
EXPORT = "kind export kubeconfig --name shop"
DELETE = "kind delete cluster --name shop"
ITEM = Item("kind cluster", "shop", DELETE.split())

#: What kind says where its node image cannot be had, as others have reported it; not seen here.
#: https://github.com/kubernetes-sigs/kind/issues/1328
NO_IMAGE = Result(1, (
    'Creating cluster "shop" ...\n'
    " • Ensuring node image (kindest/node:v1.33.1) 🖼  ...\n"
    ' ✗ Ensuring node image (kindest/node:v1.33.1) 🖼\n'
    'ERROR: failed to create cluster: failed to pull image "kindest/node:v1.33.1": '
    'command "docker pull kindest/node:v1.33.1" failed with error: exit status 1\n'
    "Command Output: Error response from daemon: no such host"
))  # fmt: skip


class Machine(RecordingRunner):
    """A machine with kind: kubectl knows the cluster once kind has made or exported it."""

    def __init__(self, *clusters: str, engine: bool = True, create: Result | None = None) -> None:
        super().__init__()
        self.clusters, self.engine, self.current = list(clusters), engine, ""
        self.create = create or Result(0)

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        said = self._says(" ".join(command.argv))
        if command.check and said.status != 0:
            raise CommandError(f"`{command.argv[0]}` ended", log=said.output)
        return said

    def _says(self, words: str) -> Result:
        program = words.split()[0]
        if program == "docker":
            return Result(0, "28.2.2") if self.engine else Result(1, "Cannot connect")
        return self._kind(words) if program == "kind" else self._kubectl(words)

    def _kind(self, words: str) -> Result:
        if words == GET:
            return Result(0, "".join(f"{name}\n" for name in self.clusters))
        if words == CREATE and self.create.status != 0:
            return self.create
        if words in (CREATE, EXPORT):
            self.current = "kind-shop"
        return Result(0)

    def _kubectl(self, words: str) -> Result:
        if " config view " not in words:
            return Result(0)
        if not self.current:
            return Result(1, "error: current-context must exist in order to minify")
        cluster = {"name": self.current, "cluster": {"server": "https://127.0.0.1:34567"}}
        return Result(0, json.dumps({"current-context": self.current, "clusters": [cluster]}))

    @property
    def did(self) -> list[str]:
        """What kind was told to change."""
        words = [" ".join(argv) for argv in self.argvs]
        return [one for one in words if one.startswith("kind ") and one != GET]


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with kind, kubectl and docker, and nothing else on the PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("kind", "kubectl", "docker"):
        (folder / name).touch(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("moorings.packages.find", lambda name: str(folder / name)
                        if (folder / name).exists() else "")  # fmt: skip
    for name in ("CI", "KUBECONFIG", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)
    return folder


Opens = Callable[..., K8s]


@pytest.fixture
def opens(tmp_path: Path) -> Opens:
    """Return the target of a deployment `shop` on a machine."""

    def made(on: Machine) -> K8s:
        flags = {"deployment.state": str(tmp_path / "state"), "deployment.name": "shop"}
        found = deployment.open(ROOT, {}, flags, "k8s", on, looks_only=True).target
        assert isinstance(found, K8s)
        return found

    return made


def supplied(target: K8s, *, yes: bool = True) -> None:
    """Ask for what the target needs first as a deploy does, by a user without root's rights."""
    state = target.context.layout.state
    lifecycle.require(target.needs()[:1], Supply(target.context.runner, state, yes, root=False))


def test_a_cluster_is_made_and_written_down(opens: Opens) -> None:
    here = Machine()
    target = opens(here)
    supplied(target)
    assert here.did == [CREATE]
    assert target.chosen.kubectl.context == "kind-shop"
    assert machine.items(target.context.layout.state) == [ITEM]


def test_one_of_its_name_is_used_and_not_made_again(opens: Opens) -> None:
    here = Machine("other", "shop")
    target = opens(here)
    assert target.needs()[0].how.startswith(f"{EXPORT}, or ")
    supplied(target)
    assert here.did == [EXPORT]
    # Who made it takes it away.
    assert machine.items(target.context.layout.state) == []


def test_one_of_a_longer_name_is_another_one(opens: Opens) -> None:
    here = Machine("shop-2")
    supplied(opens(here))
    assert here.did == [CREATE]


@pytest.mark.parametrize("lacking", ["kind", "kubectl", "an engine", "nobody to ask"])
def test_without_any_of_it_the_cluster_is_one_of_moors_own(
    opens: Opens, programs: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    here = Machine(engine=lacking != "an engine")
    if lacking == "nobody to ask":
        monkeypatch.setenv("CI", "true")
    (programs / lacking).unlink(missing_ok=True)
    need = opens(here).needs()[0]
    assert "build a Kubernetes for this machine" in need.offer
    assert need.remedy is not None
    assert not any("kind" in argv for argv in here.argvs)


def test_a_cluster_that_kubectl_knows_comes_first(opens: Opens) -> None:
    here = Machine("shop")
    here.current = "minikube"
    supplied(opens(here))
    assert not any("kind" in argv for argv in here.argvs)


@pytest.mark.parametrize("typed", ["y", "n"])
def test_on_a_terminal_it_is_asked_what_it_costs(
    opens: Opens, terminal: Callable[[str], None], capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    terminal(typed)
    here = Machine()
    target = opens(here)
    if typed == "n":
        with pytest.raises(NeedError, match="kubectl knows no cluster") as refused:
            supplied(target, yes=False)
        assert refused.value.hint.startswith(f"{CREATE}, or ./moor cluster up, as root on Linux")
    else:
        supplied(target, yes=False)
    assert here.did == ([CREATE] if typed == "y" else [])
    assert (
        "kubectl knows no cluster. Make the cluster shop by kind (minutes; downloads a node "
        "image, once) now?" in capsys.readouterr().out
    )


def test_where_nobody_can_be_asked_nothing_is_made(opens: Opens) -> None:
    here = Machine()
    with pytest.raises(NeedError, match="kubectl knows no cluster"):
        supplied(opens(here), yes=False)
    assert here.did == []


def test_a_failure_is_told_with_the_next_step_and_leaves_nothing(opens: Opens) -> None:
    here = Machine(create=NO_IMAGE)
    target = opens(here)
    with pytest.raises(CommandError) as failed:
        supplied(target)
    assert failed.value.fact == (
        'kind did not make the cluster shop: failed to pull image "kindest/node:v1.33.1": '
        'command "docker pull kindest/node:v1.33.1" failed with error: exit status 1'
    )
    assert "./moor cluster up" in failed.value.hint
    # What is left of one would be taken for it at the next deploy.
    assert here.did == [CREATE, DELETE]
    assert machine.items(target.context.layout.state) == []


class Stopped(Machine):
    """Ctrl-C arrives while kind works; it may then not even be able to take away what it began."""

    ends = True

    def finish(self, command: Command) -> Result:
        said = super().finish(command)
        if " ".join(command.argv) == CREATE:
            raise KeyboardInterrupt
        if " ".join(command.argv) == DELETE and not self.ends:
            raise CommandError("kind is stuck")
        return said


@pytest.mark.parametrize("ends", [True, False])
def test_what_ctrl_c_leaves_is_known(opens: Opens, ends: bool) -> None:
    here = Stopped()
    here.ends = ends
    target = opens(here)
    with pytest.raises(KeyboardInterrupt):
        supplied(target)
    assert here.did == [CREATE, DELETE]
    assert machine.items(target.context.layout.state) == ([] if ends else [ITEM])


def test_one_that_is_not_handed_out_is_told_with_the_next_step(opens: Opens) -> None:
    class Broken(Machine):
        def _kind(self, words: str) -> Result:
            return Result(1, "ERROR: no node") if words == EXPORT else super()._kind(words)

    here = Broken("shop")
    with pytest.raises(CommandError, match="does not hand out its cluster shop: no node") as failed:
        supplied(opens(here))
    assert failed.value.hint.startswith("docker start shop-control-plane, if it was stopped")
    assert here.did == [EXPORT]


def test_where_kind_does_not_say_what_there_is_nothing_is_made_or_taken_away(opens: Opens) -> None:
    class Silent(Machine):
        def _kind(self, words: str) -> Result:
            return Result(1, errors="ERROR: no") if words == GET else super()._kind(words)

    here = Silent("shop")
    with pytest.raises(CommandError, match="kind does not say which clusters there are"):
        supplied(opens(here))
    assert here.did == []


def test_after_down_all_the_next_deploy_makes_it_again(opens: Opens) -> None:
    here = Machine()
    target = opens(here)
    target.home.mkdir(parents=True)
    (target.home / "context").write_text("kind-shop")
    supplied(target)
    assert here.did == [CREATE]


def test_what_was_deployed_elsewhere_is_not_replaced_by_one_of_kind(opens: Opens) -> None:
    here = Machine()
    target = opens(here)
    target.home.mkdir(parents=True)
    (target.home / "context").write_text("kind-theirs")
    with pytest.raises(NeedError, match="kubectl has no context kind-theirs"):
        supplied(target)
    assert here.did == []


def test_it_is_undone_before_the_engine_that_it_runs_in(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(ROOT, tmp_path, "shop")
    machine.remember(tmp_path, Item("Docker engine", "own", ["stop"]))
    engine = Engine(Machine(), layout, {"KUBECONFIG": "/home/config"})
    monkeypatch.setattr(Engine, "is_own", True)
    Kind(engine).use()
    first, second = machine.items(tmp_path)
    assert first.undo == [
        "env", f"DOCKER_HOST=unix://{engine.socket}", "KUBECONFIG=/home/config", *DELETE.split(),
    ]  # fmt: skip
    assert second.name == "own"


def test_a_dry_run_shows_the_command_and_writes_nothing_down(opens: Opens, programs: Path) -> None:
    here = Machine()
    target = opens(here)
    # What only looks is asked of the machine itself: an engine answers, nobody has a cluster.
    for name, status in (("docker", 0), ("kind", 0), ("kubectl", 1)):
        (programs / name).write_text(f"#!/bin/sh\nexit {status}\n")
    here.dry = True
    supplied(target)
    assert here.did == [CREATE]
    assert machine.items(target.context.layout.state) == []


def test_kind_runs_with_the_engine_that_moor_uses(tmp_path: Path) -> None:
    layout = Layout(ROOT, tmp_path, "shop")
    here = Machine()
    Kind(Engine(here, layout, {"DOCKER_HOST": "tcp://127.0.0.1:2375"})).use()
    assert {dict(one.env or {}).get("DOCKER_HOST") for one in here.ran} == {"tcp://127.0.0.1:2375"}


def test_the_name_of_its_node_is_a_host_name(tmp_path: Path) -> None:
    name = f"{'a' * 49}-{'b' * 13}"
    kind = Kind(Engine(Machine(), Layout(ROOT, tmp_path, name), {}))
    assert kind.name == "a" * 49
    assert len(f"{kind.name}-control-plane") <= 63
    assert kind.context == f"kind-{kind.name}"
