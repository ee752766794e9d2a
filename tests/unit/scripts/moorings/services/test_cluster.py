"""A cluster by its folder: names, who is to end it, and what it is made of."""

import io
import json
import os
import ssl
import tarfile
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings import cluster, layout
from moorings.layout import Layout
from moorings.runner import LocalRunner
from moorings.services import cluster_needs, cluster_pki
from moorings.services.cluster import Cluster, Identity, Record
from moorings.services.cluster_build import KUBERNETES, Image, Programs
from moorings.services.cluster_node import Node
from moorings.services.cluster_plan import programs
from moorings.services.engine import Engine

ROOT = Path(__file__).resolve().parents[5]
PARTS = ROOT / "deploy" / "parts" / "cluster"

#: No process has a number that high.
NOBODY = Identity(2**22 + 1, 0.0)


@pytest.fixture
def made(tmp_path: Path, runner: RecordingRunner) -> Cluster:
    return cluster.of(Layout(ROOT, tmp_path, "one"), runner)


def started(made: Cluster, node: Identity, owner: Identity | None = None) -> Cluster:
    made.home.mkdir(parents=True)
    Record(node, "10.213.0.0/30", owner).write(made.home / "cluster.json")
    made.whole.touch()
    return made


def ourselves() -> Identity:
    return Identity.of(os.getpid())


def test_two_checkouts_share_no_name(tmp_path: Path, runner: RecordingRunner) -> None:
    names = {cluster.of(Layout(ROOT, tmp_path, name), runner).name for name in ("one", "two")}
    assert len(names) == 2
    # The kernel takes no longer name for a link.
    assert all(len(name) <= 15 for name in names)


def test_no_deployment_is_called_as_the_folder_of_clusters(made: Cluster) -> None:
    assert made.home.parent.name in layout.SHARED


def test_one_that_runs_is_up_and_nothing_is_left(made: Cluster) -> None:
    assert started(made, ourselves()).is_up()
    assert not made.is_left()


def test_one_that_was_not_started_to_the_end_is_left(made: Cluster) -> None:
    started(made, ourselves()).whole.unlink()
    assert made.process() is not None
    assert made.is_left()


def test_one_whose_owner_is_dead_is_left(made: Cluster) -> None:
    assert started(made, ourselves(), NOBODY).is_left()


def test_one_whose_owner_lives_is_not(made: Cluster) -> None:
    assert not started(made, ourselves(), ourselves()).is_left()


@pytest.mark.parametrize("started_at", [0.0, 1.0])
def test_another_process_of_the_same_number_is_not_taken_for_it(
    made: Cluster, started_at: float
) -> None:
    assert started(made, Identity(os.getpid(), started_at)).process() is None
    assert made.is_left()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"node": [1]}', "null"])
def test_a_record_that_cannot_be_read_is_none(made: Cluster, text: str) -> None:
    made.home.mkdir(parents=True)
    (made.home / "cluster.json").write_text(text)
    assert made.record() is None


def test_one_that_runs_is_not_started_again(made: Cluster, runner: RecordingRunner) -> None:
    assert started(made, ourselves()).up() is False
    assert runner.argvs == []


def test_images_are_not_handed_to_a_containerd_of_the_host(
    made: Cluster, runner: RecordingRunner
) -> None:
    """Before the node has a /run of its own, the socket there is the host's."""
    started(made, ourselves())
    assert not made._takes_images()
    assert runner.argvs == []
    (made.home / "logs").mkdir()
    (made.home / "logs" / "containerd.log").touch()
    assert made._takes_images()
    assert runner.argvs[0][:3] == ["nsenter", f"--target={os.getpid()}", "--mount"]


def test_what_a_dead_one_left_is_taken_away(made: Cluster, runner: RecordingRunner) -> None:
    assert started(made, NOBODY).down() is True
    assert runner.argvs == [["ip", "link", "delete", "dev", made.name]]
    assert not made.home.exists()
    assert made.down() is False


def test_the_node_is_told_where_everything_is() -> None:
    argv = Node("/home", "/bin", "/config", "moor-1", "10.213.0.2", "10.213.0.1").argv()
    assert argv[:8] == ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork",
                        "--kill-child=KILL"]  # fmt: skip
    assert argv[-6:] == ["/home", "/bin", "/config", "moor-1", "10.213.0.2", "10.213.0.1"]


def test_the_api_is_ready_before_who_asks_it_starts() -> None:
    plan = programs("10.213.0.2", "/moor-1")
    names = [program.name for program in plan]
    assert names[:3] == ["containerd", "etcd", "kube-apiserver"]
    assert plan[2].ready[-1] == "/readyz"
    kubelet = plan[names.index("kubelet")]
    assert {"--node-ip=10.213.0.2", "--cgroup-root=/moor-1"} <= set(kubelet.argv)
    assert {name for name in names if name.startswith("kube")} == set(KUBERNETES) - {"kubectl"}


def test_every_file_that_a_program_is_given_is_made_or_is_here() -> None:
    words = [word for program in programs("a", "/b") for word in program.argv]
    paths = [word.split("=")[-1] for word in words]
    for path in paths:
        if path.startswith("/run/moorings/config/"):
            assert (PARTS / "node" / Path(path).name).is_file()
    wanted = {Path(path).name for path in paths if path.startswith("/run/moorings/pki/")}
    pairs = ("apiserver", "apiserver-client", "ca", "front-ca", "front-client", "accounts")
    made = {f"{name}.{end}" for name in pairs for end in ("crt", "key", "pub")}
    assert wanted <= made | {f"{name}.conf" for name in cluster_pki.CLIENTS}


def test_certificates_are_for_one_use_each_and_a_stranger_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    cluster_pki.make(folder, PARTS / "node" / "pki.cnf", "10.213.0.2", LocalRunner())
    assert folder.stat().st_mode & 0o777 == 0o700

    def verify(name: str, use: str, authority: str = "ca") -> int:
        argv = ["openssl", "verify", "-CAfile", f"{folder}/{authority}.crt", "-purpose", use]
        return (
            LocalRunner()
            .run([*argv, f"{folder}/{name}.crt"], timeout=30, quiet=True, check=False)
            .status
        )

    assert verify("apiserver", "sslserver") == 0
    assert verify("admin", "sslclient") == 0
    assert verify("admin", "sslserver") != 0
    assert verify("front-client", "sslclient", "front-ca") == 0
    assert verify("front-client", "sslclient") != 0
    assert cluster_pki.server_names("10.213.0.2").endswith("IP:10.96.0.1,IP:10.213.0.2")
    ssl.create_default_context(cafile=str(folder / "ca.crt"))


def test_what_a_client_logs_in_with_stands_alone(tmp_path: Path) -> None:
    for name in ("ca.crt", "admin.crt", "admin.key"):
        (tmp_path / name).write_text(name)
    file = tmp_path / "kubeconfig"
    cluster_pki.log_in(tmp_path, "admin", "https://10.213.0.2:6443", file)
    read = json.loads(file.read_text())
    assert read["clusters"][0]["cluster"]["server"] == "https://10.213.0.2:6443"
    assert read["users"][0]["user"]["client-key-data"] == "YWRtaW4ua2V5"
    assert file.stat().st_mode & 0o777 == 0o600


def content(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(name)
    assert found is not None
    return found.read()


def at_an_address(made: Cluster, address: str) -> Cluster:
    made.home.mkdir(parents=True, exist_ok=True)
    cluster_ = {"name": "moorings", "cluster": {"server": f"https://{address}:6443"}}
    made.kubeconfig.write_text(json.dumps({"clusters": [cluster_]}))
    return made


def test_no_proxy_is_asked_for_its_api(
    made: Cluster, runner: RecordingRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("no_proxy", "localhost")
    at_an_address(made, "10.213.0.2").kubectl("get", "pods")
    assert runner.ran[0].env is not None
    assert runner.ran[0].env["NO_PROXY"] == "localhost,10.213.0.2"


def test_what_is_typed_by_hand_goes_past_a_proxy_too(
    made: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    cluster._how(at_an_address(made, "10.213.0.2"))
    assert "NO_PROXY" not in capsys.readouterr().out
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    cluster._how(made)
    assert "export NO_PROXY=10.213.0.2\n" in capsys.readouterr().out


def test_an_image_is_an_archive_that_engines_load(tmp_path: Path) -> None:
    program = tmp_path / "busybox"
    program.write_text("program")
    image = Image("shell", ("/bin/sh",), {"bin/busybox": program}, {"bin/sh": "busybox"})
    image.write(tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as archive:
        manifest = json.loads(content(archive, "manifest.json"))
        config = json.loads(content(archive, manifest[0]["Config"]))
        layer = io.BytesIO(content(archive, manifest[0]["Layers"][0]))
        with tarfile.open(fileobj=layer) as files:
            assert files.getmember("bin/busybox").mode == 0o755
            assert files.getmember("bin/sh").linkname == "busybox"
    assert manifest[0]["RepoTags"] == ["localhost/shell:1"]
    assert config["config"]["Entrypoint"] == ["/bin/sh"]


def test_each_program_is_built_from_a_recipe_that_is_here(tmp_path: Path) -> None:
    made = Programs(PARTS, tmp_path, RecordingRunner())
    assert len(made.missing()) == 4
    for build in made.builds.values():
        assert (build.recipe.folder / "go.sum").is_file()
        assert build.recipe.toolchain.is_file()
        module = (build.recipe.folder / "go.mod").read_text()
        assert f" v{build.recipe.version}" in module


def test_who_is_not_root_is_told_what_to_use_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moorings.users.is_root", lambda: False)
    need = cluster_needs.needs()[0]
    assert not need.there
    assert "kind" in need.how


def test_all_packages_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moorings.packages.find", lambda program: "")
    need = cluster_needs.needs()[-1]
    assert "etcd" in need.what
    assert {"containerd", "etcd-server", "busybox-static"} <= set(need.packages)
    assert need.how.startswith("as root: apt-get install --yes")


@pytest.mark.parametrize("has", [True, False])
def test_overlay_is_loaded_before_the_kernel_is_said_to_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has: bool
) -> None:
    known, asked = tmp_path / "filesystems", tmp_path / "asked"
    known.write_text("nodev\tproc\n")
    loads = f'[ "$2" != overlay ] || printf "nodev\\toverlay\\n" >> {known}' if has else "exit 1"
    program = tmp_path / "modprobe"
    program.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n{loads}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(cluster_needs, "FILESYSTEMS", known)
    monkeypatch.setattr(cluster_needs, "BRIDGED", tmp_path / "bridge")
    need = cluster_needs._overlay()
    assert need.there is has
    assert need.what == ("overlay" if has else "the kernel has no overlay filesystem")
    assert asked.read_text() == "--quiet overlay\n--quiet br_netfilter\n"


def test_two_deployments_hand_it_images_at_once(made: Cluster, runner: RecordingRunner) -> None:
    started(made, ourselves())
    made.inbox.mkdir(parents=True)
    engine = Engine(runner, Layout(ROOT, made.home, "one"), {})
    for _ in range(2):
        cluster.load_image(made, "app:1", engine)
    saved = [argv[argv.index("--output") + 1] for argv in runner.argvs if "save" in argv]
    imported = [argv[-1] for argv in runner.argvs if "import" in argv]
    assert len(set(saved)) == 2
    assert imported == [f"/var/tmp/{Path(one).name}" for one in saved]


def test_archives_of_one_name_do_not_meet(
    made: Cluster, runner: RecordingRunner, tmp_path: Path
) -> None:
    started(made, ourselves())
    made.inbox.mkdir(parents=True)
    theirs = made.inbox / "app.tar"
    theirs.write_text("of another")
    (tmp_path / "app.tar").write_text("mine")
    made.load(tmp_path / "app.tar")
    assert theirs.read_text() == "of another"
    assert list(made.inbox.iterdir()) == [theirs]
