"""What the target does with a cluster, by a client of it that only records."""

import base64
import json
import os
import subprocess
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings import cluster, deployment, packages
from moorings.deployment import Deployment
from moorings.errors import CommandError, MoorError, NeedError
from moorings.history import Entry
from moorings.lifecycle import left
from moorings.packages import Supply
from moorings.runner import Command, DryRunner, Result
from moorings.services.app_images import AppImages
from moorings.services.cluster import Identity, Record
from moorings.services.kube_forwards import Forward
from moorings.services.kube_others import WORKLOADS
from moorings.services.kube_secrets import PASSWORDS
from moorings.services.kubectl import OWNER, Raw
from moorings.target import Release
from moorings.targets.k8s import K8s

ROOT = Path(__file__).resolve().parents[5]
UNAUTHORIZED = Result(1, "error: You must be logged in to the server (Unauthorized)")
REFUSED = "the credentials of context kind-shop are refused"


def context(name: str, server: str = "https://127.0.0.1:6443") -> Result:
    """A `kubectl config view --minify`."""
    view = {"current-context": name, "clusters": [{"name": name, "cluster": {"server": server}}]}
    return Result(0, json.dumps(view))


class Client(RecordingRunner):
    """Answers kubectl by the first words of a command, the longest that are known."""

    def __init__(self, **said: Result) -> None:
        super().__init__()
        self.said = {"config view": context("kind-shop"),
                     **{name.replace("_", " "): one for name, one in said.items()}}  # fmt: skip

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        if Path(command.argv[0]).name != "kubectl":
            return Result(0)
        words = " ".join(self._words(command))
        known = [name for name in self.said if f"{words} ".startswith(f"{name} ")]
        return self.said[max(known, key=len)] if known else self.said.get("", Result(0))

    @staticmethod
    def _words(command: Command) -> list[str]:
        """Return a command without where it goes."""
        words = list(command.argv[1:])
        while words[0] in ("--context", "--namespace"):
            del words[:2]
        return words

    @property
    def asked(self) -> list[str]:
        """The commands of kubectl."""
        return [" ".join(self._words(one)) for one in self.ran
                if Path(one.argv[0]).name == "kubectl"]  # fmt: skip

    @property
    def did(self) -> list[str]:
        """Those that change something."""
        looks = ("get", "config", "auth", "logs")
        return [words for words in self.asked
                if words.split()[0] not in looks and "--dry-run" not in words]  # fmt: skip


Opens = Callable[..., K8s]


@pytest.fixture
def opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opens:
    """Return the target of a deployment of the test's own, which finds a kubectl."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "kubectl").touch(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("CI", raising=False)

    def made(client: Client, **flags: object) -> K8s:
        own = {"deployment.state": str(tmp_path / "state"), "deployment.name": "shop"}
        more = {name.replace("_", "."): one for name, one in flags.items()}
        found = deployment.open(ROOT, {}, {**own, **more}, "k8s", client, looks_only=True).target
        assert isinstance(found, K8s)
        return found

    return made


def test_silence_is_no_empty_cluster(opens: Opens) -> None:
    silent = opens(Client(get=UNAUTHORIZED))
    with pytest.raises(CommandError, match=REFUSED) as refused:
        silent.live()
    assert refused.value.hint == "log in to it anew"


def test_what_is_there_is_not_taken_away_by_silence(opens: Opens) -> None:
    client = Client(get=Result(1, "Unable to connect to the server: timeout"))
    with pytest.raises(CommandError, match="kind-shop does not answer: Unable to connect"):
        opens(client).down(volumes=True)
    assert client.did == []


def test_a_reload_that_fails_says_why_whatever_becomes_of_its_pod(
    opens: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    target = opens(Client(get=UNAUTHORIZED))
    target.start = lambda release: None  # type: ignore[method-assign]
    target.live = lambda: None  # type: ignore[method-assign]

    def broken(release: Release) -> str:
        raise CommandError("the first error")

    target.prove_url = broken  # type: ignore[method-assign]
    with pytest.raises(CommandError, match="the first error"):
        target.reload(Release("a", ""))
    assert "the pod of the proof was not taken away" in capsys.readouterr().err


FAR = context("shop", "https://cluster.example")
NO_CONTEXT = Result(1, 'error: context "gone" does not exist')


@pytest.mark.parametrize("doing", ["deploy", "reload", "down", "maintenance"])
def test_in_ci_a_cluster_elsewhere_is_not_touched_whatever_is_done(
    opens: Opens, terminal: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, doing: str
) -> None:
    monkeypatch.setenv("CI", "true")
    terminal("y")
    client = Client(config_view=FAR)
    with pytest.raises(NeedError, match=r"shop \(https://cluster\.example\) is no local cluster"):
        opens(client).held(doing)
    assert client.asked == ["config view --minify --output json"]


@pytest.mark.parametrize(("typed", "taken"), [("y", True), ("n", False)])
def test_on_a_terminal_it_is_asked_before_the_lease(
    opens: Opens, terminal: Callable[[str], None], typed: str, taken: bool
) -> None:
    terminal(typed)
    client = Client(config_view=FAR, get_namespace=Result(0, '{"metadata": {"name": "n"}}'))
    target = opens(client)
    with nullcontext() if taken else pytest.raises(NeedError), target.held("deploy"):
        assert target.needs()[0].there
    assert any(words.startswith("create") for words in client.asked) is taken


def test_a_list_of_targets_asks_nobody(opens: Opens, terminal: Callable[[str], None]) -> None:
    terminal("y")
    (need,) = opens(Client(config_view=FAR)).needs()
    assert not need.there
    assert "MOOR_K8S_CONTEXT=shop" in need.how


def test_one_that_it_was_deployed_to_once_was_not_named_for_ever(opens: Opens) -> None:
    target = opens(Client(config_view=FAR))
    target.home.mkdir(parents=True)
    (target.home / "context").write_text("shop")
    with pytest.raises(NeedError, match="is no local cluster"):
        target.held("deploy")


def test_refused_credentials_are_told_before_there_is_a_lease(opens: Opens) -> None:
    client = Client(get=UNAUTHORIZED)
    with pytest.raises(NeedError, match=REFUSED):
        opens(client).held("deploy")
    assert client.did == []


@pytest.mark.parametrize("named", [True, False])
def test_a_context_that_does_not_exist_is_not_replaced_by_another_one(
    opens: Opens, named: bool
) -> None:
    client = Client(**{"config_view_--minify_--output_json_--context_gone": NO_CONTEXT})
    target = opens(client, **({"k8s_context": "gone"} if named else {}))
    if not named:
        target.home.mkdir(parents=True)
        (target.home / "context").write_text("gone")
    (need,) = target.needs()
    assert (need.what, need.remedy) == ("kubectl has no context gone", None)
    assert need.how.startswith("kubectl config get-contexts")
    assert target.cluster is None


def test_who_names_one_that_does_not_exist_is_told_by_every_verb(opens: Opens) -> None:
    target = opens(Client(config_view=NO_CONTEXT), k8s_context="gone")
    asks = (target.live, target.down, lambda: target.held("down"), lambda: target.maintain(True))
    for ask in asks:
        with pytest.raises(NeedError, match="kubectl has no context gone"):
            ask()


def test_what_was_on_a_cluster_that_is_gone_can_be_given_up(opens: Opens) -> None:
    client = Client(config_view=NO_CONTEXT)
    target = opens(client)
    target.home.mkdir(parents=True)
    (target.home / "context").write_text("kind-gone")
    with target.held("down"):
        target.down()
    assert not (target.home / "context").exists()


def test_moor_s_own_cluster_comes_and_goes(opens: Opens) -> None:
    target = opens(Client(config_view=NO_CONTEXT))
    target.home.mkdir(parents=True)
    (target.home / "context").write_text("moorings")
    assert target.needs()[0].what == "kubectl knows no cluster"


def test_without_kubectl_that_is_what_is_missing(
    opens: Opens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = opens(Client())
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(packages, "find", lambda program: "")
    assert target.needs()[0].what == "kubectl is not installed"
    assert target.live() is None
    (target.home).mkdir(parents=True)
    (target.home / "context").write_text("kind-shop")
    target.chosen.forget()
    with pytest.raises(NeedError, match="kubectl is not installed"):
        target.down()


def test_where_a_cluster_is_started_the_engine_is_wanted_too(opens: Opens) -> None:
    target = opens(Client(config_view=NO_CONTEXT))
    first, *others = target.needs()
    assert first.remedy is not None
    assert others == target.engine.needs() != []


def test_the_question_says_that_a_kubernetes_is_built(
    opens: Opens, terminal: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal("n")
    first = opens(Client(config_view=NO_CONTEXT)).needs()[0]
    assert not Supply(RecordingRunner(), Path("/nowhere"), root=True).may(first)
    said = capsys.readouterr().out
    assert "kubectl knows no cluster. Install " in said
    assert "build a Kubernetes for this machine (minutes, once), and start it now?" in said


RELEASE = Release("4b6e64a8fc27-gunicorn", "4b6e64a8", "0123456789ab")


def named(kind: str, name: str, part: str = "app", **more: object) -> Raw:
    labels = {"app.kubernetes.io/name": part}
    return {"kind": kind, "metadata": {"name": name, "labels": labels}, **more}


def rendered(*objects: Raw) -> Result:
    return Result(0, "\n".join(json.dumps(one) for one in objects))


@pytest.fixture
def builds(opens: Opens) -> Callable[[Client], K8s]:
    """Return a target with secrets, which are made at first use."""

    def made(client: Client, **flags: object) -> K8s:
        target = opens(client, **flags)
        (target.home / "secrets").mkdir(parents=True)
        for name in PASSWORDS:
            (target.home / "secrets" / name).touch()
        return target

    return made


WHOLE = (named("Namespace", "moorings-shop", "namespace"), named("Service", "app"))
THERE = Result(0, '{"metadata": {"name": "moorings-shop"}}')


def test_manifests_that_cannot_be_read_are_told_before_anything_is_built(builds: Opens) -> None:
    client = Client()
    target = builds(client)
    source = target.sources.folder(RELEASE.version)
    client.said["create"] = Result(1, (
        f"error: accumulating resources: recursed accumulation of path '{source}/deploy/k8s/base': "
        "accumulating resources: accumulating resources from 'service.yaml': MalformedYAMLError: "
        "yaml: line 13: did not find expected node content in File: service.yaml"
    ))  # fmt: skip
    with pytest.raises(MoorError) as refused:
        target.build(RELEASE)
    assert refused.value.fact == (
        "the manifests cannot be used: deploy/k8s/base: accumulating resources from "
        "'service.yaml': MalformedYAMLError: yaml: line 13: did not find expected node content "
        "in File: service.yaml"
    )
    assert "kubectl kustomize deploy/k8s/overlays/dev" in refused.value.hint
    assert client.did == []
    assert not any(argv[:2] == ["docker", "build"] for argv in client.argvs)


UNKNOWN = Result(1, (
    "error: failed to create typed patch object (moorings-shop/app; /v1, Kind=Service): "
    ".spec.prots: field not declared in schema"
))  # fmt: skip


def test_what_the_cluster_would_not_take_is_told_before_anything_is_applied(builds: Opens) -> None:
    client = Client(create=rendered(*WHOLE), apply=UNKNOWN, get_namespace=THERE)
    with pytest.raises(CommandError, match=r"Service app cannot be used: \.spec\.prots: field not"):
        builds(client).build(RELEASE)
    assert client.did == []
    assert not any(argv[:2] == ["docker", "build"] for argv in client.argvs)


def test_of_a_first_deploy_that_is_refused_no_namespace_is_left(builds: Opens) -> None:
    client = Client(create=rendered(*WHOLE))
    client.said[f"apply {' '.join(OWNER)} --dry-run=server"] = UNKNOWN
    with pytest.raises(CommandError, match=r"Service app cannot be used"):
        builds(client).build(RELEASE)
    assert [words.split()[0] for words in client.did] == ["apply", "delete"]
    assert client.did[-1].startswith("delete namespace moorings-shop")


def test_each_configuration_of_a_release_is_asked_once(builds: Opens) -> None:
    client = Client(create=rendered(*WHOLE), get_namespace=THERE)
    target = builds(client)
    target.sources.copy(RELEASE.version)
    for release in (RELEASE, RELEASE, replace(RELEASE, settings="b")):
        target._check(release)
    asked = [words for words in client.asked if "--dry-run=server" in words]
    assert len(asked) == 2 * 2


def workload(kind: str, name: str, ours: bool, owner: str = "") -> Raw:
    labels = {"app.kubernetes.io/part-of": "moorings" if ours else "theirs"}
    owners = [{"name": owner}] if owner else []
    return {"kind": kind, "metadata": {"name": name, "labels": labels, "ownerReferences": owners}}


def holding(*found: Raw) -> Client:
    listed = Result(0, json.dumps({"items": list(found)}))
    return Client(get_namespace=THERE, **{f"get_{WORKLOADS}": listed})


THEIRS = (workload("Deployment", "wiki", ours=False), workload("Pod", "wiki-1", False, "wiki"))
OURS = workload("Deployment", "app", ours=True)


def test_a_namespace_of_somebody_else_is_left_alone(opens: Opens) -> None:
    needs = [need for need in opens(holding(*THEIRS)).needs() if not need.there]
    assert needs[0].what == "the namespace moorings-shop has other things in it: deployment wiki"
    assert "MOOR_DEPLOYMENT_NAME" in needs[0].how


@pytest.mark.parametrize("found", [(), (OURS,), (OURS, *THEIRS)])
def test_one_that_is_empty_or_ours_does(opens: Opens, found: tuple[Raw, ...]) -> None:
    named = [need for need in opens(holding(*found)).needs() if "namespace" in need.what]
    assert [need.there for need in named] == [True]


def test_nothing_of_others_goes_with_the_namespace(opens: Opens) -> None:
    client = holding(OURS, *THEIRS)
    with pytest.raises(MoorError, match="deployment wiki would go with the namespace"):
        opens(client).down(volumes=True)
    assert client.did == []
    opens(client).down()
    assert client.did
    assert not any(words.startswith("delete namespace") for words in client.did)


def test_down_takes_the_flag_of_maintenance_away_whoever_made_it(opens: Opens) -> None:
    client = holding(OURS)
    opens(client).down()
    assert "delete configmap flags --ignore-not-found" in client.did


DEPLOYMENTS = "get_deployments,replicasets"


def postgres(image: str) -> Raw:
    template = {"spec": {"containers": [{"image": image}]}}
    return named("StatefulSet", "postgres", "postgres", spec={"template": template})


REVISION = "deployment.kubernetes.io/revision"


def revision(number: int, release: Release, name: str, kind: str, **status: int) -> Raw:
    """A Deployment or a ReplicaSet."""
    told = {"metadata": {"annotations": {"moorings.release": release.label}}}
    one = named(kind, name if kind == "Deployment" else f"{name}-{number}", name,
                spec={"template": told, "replicas": 2}, status=status)  # fmt: skip
    one["metadata"]["annotations"] = {REVISION: str(number)}
    return one


APP = ("app", "Deployment")
ALL_NEW = {"updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}
CUT_OFF = {"updatedReplicas": 1, "replicas": 3, "availableReplicas": 2}


def live(release: Release) -> Result:
    """The Deployments of a release that serves."""
    both = [revision(1, release, name, "Deployment", **ALL_NEW) for name in ("app", "gateway")]
    return Result(0, json.dumps({"items": both}))


def cut_off(old: int, new: int) -> Result:
    """A rollout of another release that was cut off, with so many old and new pods that serve."""
    next_ = replace(RELEASE, version="next")
    found = [
        revision(2, next_, "app", "Deployment", **(CUT_OFF | {"availableReplicas": old + new})),
        # One that is gone back to is used again: its revision tells its age, and no time does.
        revision(2, next_, "app", "ReplicaSet", availableReplicas=new),
        revision(1, RELEASE, "app", "ReplicaSet", availableReplicas=old),
        revision(1, RELEASE, "gateway", "Deployment", **ALL_NEW),
    ]
    return Result(0, json.dumps({"items": found}))


@pytest.mark.parametrize(
    ("old", "new", "version"), [(2, 0, RELEASE.version), (1, 1, RELEASE.version), (0, 2, "next")]
)
def test_in_the_middle_of_a_rollout_the_old_release_is_live(
    opens: Opens, old: int, new: int, version: str
) -> None:
    found = opens(Client(**{DEPLOYMENTS: cut_off(old, new)})).live()
    assert found is not None
    assert found.version == version


def test_where_no_pod_of_it_serves_nothing_is_live(opens: Opens) -> None:
    assert opens(Client(**{DEPLOYMENTS: cut_off(0, 0)})).live() is None


def test_a_rollout_that_was_cut_off_is_undone_before_anything_is_renewed(opens: Opens) -> None:
    client = Client(**{DEPLOYMENTS: cut_off(2, 0)})
    target = opens(client)
    target._changes = list  # type: ignore[method-assign]
    client.said["get deployment app"] = Result(0, json.dumps(revision(2, RELEASE, *APP)))
    whole = revision(3, RELEASE, *APP, **ALL_NEW)
    client.said["get deployment,replicaset,pod"] = Result(0, json.dumps(whole))
    target.renew()
    assert client.did == ["rollout undo deployment/app --to-revision=1"]


@pytest.fixture
def running(builds: Opens) -> Callable[[str], tuple[Client, K8s]]:
    """Return a target whose release wants an image of PostgreSQL, where `old` runs."""

    def made(image: str) -> tuple[Client, K8s]:
        client = Client(
            create=rendered(*WHOLE, postgres(image)),
            apply=Result(0, json.dumps(postgres(image))),
            get_namespace=THERE,
            **{DEPLOYMENTS: live(RELEASE)},
            get_statefulset=Result(0, json.dumps(postgres("old"))),
        )
        target = builds(client, k8s_images="public")
        target._watch = lambda *arguments: None  # type: ignore[method-assign]
        return client, target

    return made


Running = Callable[[str], tuple[Client, K8s]]


def test_another_postgresql_is_asked_about_before_clients_wait_for_it(running: Running) -> None:
    client, target = running("new")
    assert target.interrupts() == ["postgres (image old -> new)"]
    assert client.did == []
    target.renew()
    assert [words.split()[0] for words in client.did] == ["apply"]


def test_what_cannot_be_read_is_told_by_the_deploy_itself(running: Running) -> None:
    client, target = running("new")
    client.said["create"] = Result(1, "error: MalformedYAMLError")
    assert target.interrupts() == []
    with pytest.raises(MoorError, match="the manifests cannot be used: error: Malformed"):
        target.build(RELEASE)


def test_the_same_postgresql_is_not_touched(running: Running) -> None:
    client, target = running("old")
    assert target.interrupts() == []
    target.renew()
    assert client.did == []


def test_a_release_that_goes_back_leaves_postgresql_as_it_is(running: Running) -> None:
    _, target = running("new")
    target.sources.copy(RELEASE.version)
    target._lean(RELEASE)
    assert not (target.home / "lean.json").exists()


def test_a_job_is_known_by_its_release_with_which_it_goes(builds: Opens) -> None:
    pod = {"spec": {"containers": [{"command": []}]}}
    job = named("Job", "migration", "migration", spec={"template": pod})
    done = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    client = Client(create=rendered(*WHOLE, job), get_namespace=THERE,
                    get_job=Result(0, json.dumps(done)))  # fmt: skip
    target = builds(client, k8s_images="public")
    target._watch = lambda *arguments: None  # type: ignore[method-assign]
    target.sources.copy(RELEASE.version)
    target.migrate(RELEASE, "migrate")
    (made,) = json.loads((target.home / "migration.json").read_text())["items"]
    assert made["metadata"]["name"] == f"migration-{RELEASE.version}"
    for name in ("moorings.version", "app.kubernetes.io/version"):
        assert made["metadata"]["labels"][name] == RELEASE.version


def mounts(kind: str, name: str, *secrets: str, **more: object) -> Raw:
    volumes = [{"name": "tmp", "emptyDir": {}}]
    volumes += [{"name": one, "secret": {"secretName": one}} for one in secrets]
    spec = {"template": {"spec": {"volumes": volumes}}}
    return {"kind": kind, "metadata": {"name": name, **more}, "spec": spec}


def secret(**values: str) -> Result:
    data = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
    return Result(0, json.dumps({"kind": "Secret", "data": data}))


THEIR_PASSWORDS = {name: f"their {name}" for name in PASSWORDS}
DATABASE = mounts("StatefulSet", "postgres", "postgres-1")


def deployed_elsewhere(*workloads: Raw, **said: Result) -> Client:
    """A namespace that another machine has deployed to."""
    listed = {
        "get jobs,deployments,statefulsets": Result(0, json.dumps({"items": workloads})),
        "get secret postgres-1": secret(**THEIR_PASSWORDS),
        "get secret app-1": secret(database_url="theirs", secret_key="new"),
        "get secret migration-1": secret(migration_url="old", secret_key="old"),
        "get secret migration-2": secret(migration_url="new", secret_key="old"),
    }
    return Client(create=rendered(*WHOLE), get_namespace=THERE, **listed, **said)


def test_a_second_machine_takes_up_the_passwords_that_the_data_have(opens: Opens) -> None:
    client = deployed_elsewhere(
        mounts("Job", "migration-b", "migration-2", creationTimestamp="2026-02-01T00:00:00Z"),
        mounts("Job", "migration-c", "migration-1", creationTimestamp="2026-01-01T00:00:00Z"),
        mounts("Deployment", "app", "app-1"),
        DATABASE,
    )
    target = opens(client)
    target.sources.copy(RELEASE.version)
    target._check(RELEASE)
    folder = target.home / "secrets"
    assert {file.name: file.read_text() for file in folder.iterdir()} == {
        **THEIR_PASSWORDS, "database_url": "theirs", "migration_url": "new", "secret_key": "new",
    }  # fmt: skip
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


CLAIM = Result(0, '{"kind": "PersistentVolumeClaim"}')
FORBIDDEN = Result(1, 'Error from server (Forbidden): secrets "postgres-1" is forbidden')


@pytest.mark.parametrize(
    "client",
    [
        deployed_elsewhere(DATABASE, get_secret_postgres_1=FORBIDDEN),
        deployed_elsewhere(DATABASE, get_secret_postgres_1=Result(0)),
        # After `down` on the other machine.
        deployed_elsewhere(get_persistentvolumeclaim=CLAIM),
    ],
    ids=["no right", "no secret", "the data alone"],
)
def test_without_them_nothing_is_made_in_their_place(opens: Opens, client: Client) -> None:
    said = {name.replace("postgres 1", "postgres-1"): one for name, one in client.said.items()}
    client.said = said
    target = opens(client)
    with pytest.raises(MoorError, match="database in moorings-shop are not on this") as refused:
        target.build(RELEASE)
    assert f"to {target.home / 'secrets'}" in refused.value.hint
    assert client.did == []
    assert not any(argv[0].endswith("secrets.sh") for argv in client.argvs)


@pytest.mark.parametrize(
    ("bounds", "set_to"),
    [((2, 6), None), ((2, 9), '{"minReplicas": 2, "maxReplicas": 6}')],
    ids=["as they are", "patched by hand"],
)
def test_a_deploy_of_what_runs_sets_the_bounds_of_the_autoscaler(
    builds: Opens, bounds: tuple[int, int], set_to: str | None
) -> None:
    client, target = scaled(builds, *bounds)
    target.renew()
    command = f'patch horizontalpodautoscaler app --patch {{"spec": {set_to}}}'
    assert client.did == ([command] if set_to else [])


def test_more_pods_at_least_are_more_at_most(builds: Opens) -> None:
    client, target = scaled(builds, 2, 6, k8s_replicas=8)
    target.renew()
    (command,) = client.did
    assert command.endswith('--patch {"spec": {"minReplicas": 8, "maxReplicas": 8}}')


def scaled(builds: Opens, least: int, most: int, **flags: object) -> tuple[Client, K8s]:
    """A release that runs as the checkout is, between some bounds."""
    found = {"spec": {"minReplicas": least, "maxReplicas": most, "metrics": []}}
    client = Client(get_namespace=THERE, get_horizontalpodautoscaler=Result(0, json.dumps(found)))
    target = builds(client, **flags)
    client.said["get deployments,replicasets"] = live(target.version())
    return client, target


@pytest.mark.parametrize(
    ("flag", "value", "what"),
    [
        ("server_socket", "/run/app.sock", "the gateway of containers listens on a port alone"),
        ("gateway_kind", "none", "clients reach the pods of the app by the gateway alone"),
        ("jaeger_storage", "badger", "Jaeger in a pod keeps traces in memory"),
    ],
)
def test_a_setting_that_means_nothing_here_is_refused(
    builds: Opens, flag: str, value: str, what: str
) -> None:
    _, target = scaled(builds, 2, 6, **{flag: value})
    (need,) = target.needs()
    assert (need.there, need.what) == (False, what)
    assert flag.replace("_", ".") in need.how
    with pytest.raises(NeedError, match=what):
        target.renew()


def test_a_manifest_of_the_operator_s_own_is_applied_with_the_configuration(builds: Opens) -> None:
    own = {"kind": "Deployment", "metadata": {"name": "redis"}}
    client = Client(create=rendered(*WHOLE, own), get_namespace=THERE)
    target = builds(client, k8s_images="public")
    target._watch = lambda *arguments: None  # type: ignore[method-assign]
    target.sources.copy(RELEASE.version)
    target._lean(RELEASE)
    applied = json.loads((target.home / "ground.json").read_text())["items"]
    assert [one["metadata"]["name"] for one in applied] == ["moorings-shop", "redis"]


def test_down_takes_away_what_else_the_cluster_has_and_lets_be_seen(opens: Opens) -> None:
    client = holding(OURS)
    client.said["get httproute"] = Result(1, "error: the server doesn't have a resource type")
    client.said["get cronjob"] = Result(1, "Error from server (Forbidden)")
    opens(client).down()
    (removed,) = [words.split()[1] for words in client.did if "part-of=moorings" in words]
    assert removed.endswith(",serviceaccount,ingress,daemonset")


def test_each_file_of_kubectl_s_is_named_for_every_folder(
    opens: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "./kc.yaml:/etc/kube/config")
    here = Path.cwd()
    assert opens(Client()).kubectl.env["KUBECONFIG"] == f"{here}/kc.yaml:/etc/kube/config"
    monkeypatch.delenv("KUBECONFIG")
    assert "KUBECONFIG" not in opens(Client()).kubectl.env


def test_moor_s_own_cluster_is_not_asked_for_through_a_proxy(
    opens: Opens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost")
    home = tmp_path / "state" / "clusters" / "shop"
    home.mkdir(parents=True)
    Record(Identity.of(os.getpid()), "10.213.0.0/30").write(home / "cluster.json")
    server = {"cluster": {"server": "https://10.213.0.2:6443"}}
    (home / "kubeconfig").write_text(json.dumps({"clusters": [server]}))
    for one in opens(Client()).chosen._clients():
        assert one.env["NO_PROXY"] == "localhost,10.213.0.2"


def test_long_names_that_begin_alike_have_namespaces_of_their_own(opens: Opens) -> None:
    names = ["shop", "a" * 54, "a" * 55, "a" * 54 + "b", "a" * 53 + "-b"]
    spaces = [opens(Client(), deployment_name=name).namespace for name in names]
    assert spaces[:2] == ["moorings-shop", "moorings-" + "a" * 54]
    assert len(set(spaces)) == len(names)
    assert all(len(one) <= 63 and not one.endswith("-") for one in spaces)


def test_after_a_failed_first_deploy_it_is_said_what_runs_on(opens: Opens) -> None:
    jobs = [named("Job", f"{name}-1", name, status={"active": active} if active else {})
            for name, active in (("migration", 1), ("acceptance", 0))]  # fmt: skip
    found = [postgres("image"), named("Deployment", "jaeger", "jaeger"), *jobs]
    listed = Result(0, json.dumps({"items": found}))
    target = opens(Client(**{"get_deployments,statefulsets,jobs": listed}))
    assert left(target) == "jaeger and migration and postgres run on until ./moor down k8s"


#: A kubectl that writes down what it is told, and knows what is in a folder of its own.
KUBECTL = """#!/bin/sh
folder=$(dirname "$0")
while [ "$1" = --context ] || [ "$1" = --namespace ]; do shift 2; done
echo "$*" >> "$folder/told"
if [ -f "$folder/$1 $2" ]; then cat "$folder/$1 $2"; fi
"""


@pytest.fixture
def dry(
    opens: Opens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Result], Deployment]:
    """Return a deployment in a dry run, in which a release serves."""
    monkeypatch.setattr(AppImages, "needs", lambda self: [])
    monkeypatch.setattr(AppImages, "built", lambda self: {RELEASE.version})
    folder = tmp_path / "programs"
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    (folder / "docker").write_text("#!/bin/sh\nexit 1\n")
    (folder / "docker").chmod(0o755)
    (folder / "kubectl").write_text(KUBECTL)
    (folder / "get deployments,replicasets").write_text(live(RELEASE).output)
    (folder / "get namespace").write_text(THERE.output)

    def made(view: Result) -> Deployment:
        (folder / "config view").write_text(view.output)
        flags = {"deployment.state": str(tmp_path / "state"), "deployment.name": "shop",
                 "server.boot_timeout": 1}  # fmt: skip
        return deployment.open(ROOT, {}, flags, "k8s", DryRunner(), looks_only=True)

    return made


def files(folder: Path) -> dict[str, bytes]:
    """Return all but the lock, which a dry run takes too."""
    return {str(one): one.read_bytes() for one in folder.rglob("*")
            if one.is_file() and one.name != "lock"}  # fmt: skip


VERBS: dict[str, Callable[[Deployment], object]] = {
    "deploy": Deployment.deploy,
    "reload": Deployment.reload,
    "rollback": lambda made: made.rollback("before"),
    "down": lambda made: made.down(volumes=True),
    "maintenance": lambda made: made.maintain(on=True),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_dry_run_changes_nothing(
    dry: Callable[[Result], Deployment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    made = dry(context("kind-shop"))
    monkeypatch.setattr(AppImages, "built", lambda self: {RELEASE.version, "before"})
    for version in (RELEASE.version, "before"):
        (made.layout.releases / version).mkdir(parents=True)
    entries = [asdict(Entry(one, "", "", "")) for one in (RELEASE.version, "before")]
    made.history.record.write_text(json.dumps(entries))
    way = subprocess.Popen(["sleep", "60"])
    forwards = made.layout.home / "k8s" / "forwards"
    forwards.mkdir(parents=True)
    note = Forward("pod/app", 8000, 1, way.pid, psutil.Process(way.pid).create_time())
    for name in ("gateway", "candidate"):
        (forwards / f"{name}.json").write_text(json.dumps(asdict(note)))
    before = files(tmp_path / "state")
    try:
        VERBS[verb](made)
        assert way.poll() is None
    finally:
        way.kill()
        way.wait()
    assert files(tmp_path / "state") == before
    told = (tmp_path / "programs" / "told").read_text().splitlines()
    assert {line.split()[0] for line in told} <= {"get", "config", "auth"}


def test_a_dry_run_starts_no_cluster_and_sweeps_none_away(
    dry: Callable[[Result], Deployment],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = dry(Result(0, ""))
    monkeypatch.setattr(K8s, "live", lambda self: None)
    monkeypatch.setattr(Supply, "_can", lambda self, missing: True)
    monkeypatch.setattr(cluster, "start", lambda *words, **more: pytest.fail("it is started"))
    made.deploy()
    assert files(tmp_path / "state") == {}
    assert "./moor cluster up" in capsys.readouterr().out
