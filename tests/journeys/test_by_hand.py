"""What each page of deploy/ has under *By hand*, typed as it stands there, in a fresh clone."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.journeys.conftest import ROOT

from moorings import deployment, lifecycle, ports, probe
from moorings.runner import LocalRunner
from moorings.services import kube_own
from moorings.services.cluster import Cluster
from moorings.services.engine import Engine
from moorings.services.jaeger_source import VERSION
from moorings.services.kube_manifests import IMAGES, SHOP
from moorings.targets.docker import Docker
from moorings.targets.k8s import K8s

MANIFESTS = "".join(file.read_text() for file in (ROOT / "deploy" / "k8s").rglob("*.yaml"))
PAGES = sorted((ROOT / "deploy").rglob("README.md"))
COMPOSE = sorted((ROOT / "deploy" / "docker").glob("compose*.yaml"))

#: Seconds; each page that needs an environment makes its own.
DEADLINE = 900
#: Seconds for what was told to stop, and is not waited for on the page.
STOP = 30

#: What a page needs beside Python, git and curl; programs by their names, files by their paths.
NEEDS = {
    "apache": ["/usr/sbin/apache2", "/usr/lib/apache2/modules/mod_wsgi.so"],
    "jaeger": ["jaeger"],
    "nginx": ["/usr/sbin/nginx"],
}
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "moorings"
BUILT = str(CACHE / "jaeger" / VERSION)


@dataclass(frozen=True)
class Person:
    """Somebody without rights, who has a clone and has set nothing."""

    home: Path
    more: dict[str, str] = field(default_factory=dict)
    """Of the environment."""
    groups: list[int] = field(default_factory=list)
    name: str = "nobody" if os.getuid() == 0 else ""
    """Who it is; empty: the one who runs the tests, who is not root."""

    @property
    def clone(self) -> Path:
        return self.home / "the clone"

    @property
    def log(self) -> Path:
        return self.home / "log"

    def types(self, script: str) -> "subprocess.Popen[bytes]":
        """Begin with a script, in a session of its own; what it says goes into `log`."""
        rights: dict[str, Any] = {}
        if self.name:
            group = pwd.getpwnam(self.name).pw_gid
            rights = {"user": self.name, "group": group, "extra_groups": self.groups}
        with self.log.open("wb") as said:
            return subprocess.Popen(
                ["bash", "-eux", "-o", "pipefail", "-c", script],
                cwd=self.clone,
                env=self._env(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **rights,
            )

    def _env(self) -> dict[str, str]:
        # How pip reaches its index is the machine's, and no part of the page.
        ways = ("PIP_", "SSL_", "HTTPS_PROXY")
        client = {
            name: value for name, value in os.environ.items() if name.upper().startswith(ways)
        }
        path = f"{self.home / 'bin'}:/usr/local/bin:/usr/bin:/bin"
        # What the page makes by mktemp goes with the rest.
        own = {"HOME": str(self.home), "TMPDIR": str(self.home)}
        return {**own, "PATH": path, "LANG": "C.UTF-8", **client, **self.more}

    def own(self) -> None:
        """Have all that is here."""
        if self.name:
            known = pwd.getpwnam(self.name)
            for path in (self.home, *self.home.rglob("*")):
                os.chown(path, known.pw_uid, known.pw_gid, follow_symlinks=False)


def git(*argv: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *argv], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def person() -> Iterator[Person]:
    # Not below pytest's own folder, which is closed to others.
    with tempfile.TemporaryDirectory(prefix="by hand ") as folder:
        one = Person(Path(folder))
        # What is not committed yet too; what git does not know is not there, as for everybody.
        commit = git("stash", "create") or git("rev-parse", "HEAD")
        git("clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(one.clone))
        git("-C", str(one.clone), "checkout", "--quiet", "--detach", commit)
        yield one


def script(page: Path) -> str:
    """Return the marked blocks of a page, with free ports in place of those that it names."""
    by_hand = page.read_text().split("\n## By hand\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^```sh runnable\n(.*?)^```$", by_hand, re.MULTILINE | re.DOTALL)
    taken: set[int] = set()
    return re.sub(r"\b(\w*PORT)=\d+\b", lambda found: f"{found[1]}={other(taken)}", "".join(blocks))


def other(taken: set[int]) -> int:
    """Return a free port that is none of those, and add it to them."""
    port = probe.until(
        lambda: free if (free := ports.free("127.0.0.1")) not in taken else None,
        what="a free port",
        timeout=5,
    )
    taken.add(port)
    return port


def supply(page: Path, person: Person) -> None:
    """Give what a page needs: skip where it is missing, fail where that is CI."""
    path = f"{os.environ['PATH']}:{BUILT}"
    for need in ["git", "curl", *NEEDS.get(page.parent.name, [])]:
        found = need if Path(need).exists() else shutil.which(need, path=path)
        if not found:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{need} is missing")
        if need == "jaeger":
            (person.home / "bin").mkdir()
            shutil.copy2(found, person.home / "bin")  # root's cache is closed to others


def living(session: int) -> list[psutil.Process]:
    """Return what runs in a session."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def end(session: int) -> None:
    """Kill what a page left, after it failed."""
    for process in living(session):
        process.kill()


@contextmanager
def images(engine: Engine, person: Person, server: str = "gunicorn") -> Iterator[None]:
    """Let a person use the engine, with images that stand for the public ones."""
    flags = {"deployment.name": f"by-hand-{os.getpid()}", "docker.server": server}
    made = deployment.open(ROOT, os.environ, flags, "docker")
    target = made.target
    assert isinstance(target, Docker)
    lifecycle.require(engine.needs(), made.plan().supply)
    release = target.version()
    try:
        target.build(release)
        shop = target.images.name(release.version)
        person.more.update(target.images.bases(), BLUE_IMAGE=shop, MIGRATION_IMAGE=shop)
        host = engine.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        person.more["DOCKER_HOST"] = host
        person.groups.append(Path(host.removeprefix("unix://")).stat().st_gid)
        yield
    finally:
        made.down(volumes=True)


@contextmanager
def nodes(engine: Engine, person: Person) -> Iterator[None]:
    """Let a person use a cluster, whose nodes have images under the names of the public ones."""
    plain = deployment.open(ROOT, os.environ, {}, "k8s", looks_only=True).layout
    own = kube_own.nearest(plain, LocalRunner())
    if own is None:
        missing = "images with the names of public ones come into a cluster of moor's own alone"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    flags = {"deployment.name": f"{plain.name}-by-hand-{os.getpid()}"}
    made = deployment.open(ROOT, os.environ, flags, "k8s")
    target = made.target
    assert isinstance(target, K8s)
    release = target.version()
    try:
        target.build(release)
        stand_ins = target.images.bases()
        named = {SHOP: target.images.name(release.version)}
        named |= {name: stand_ins[variable] for variable, name in IMAGES.items()}
        for name, image in named.items():
            assert own.tag(image, public(name))
        lend(own, person)
        yield
    finally:
        made.down(volumes=True)


def lend(cluster: Cluster, person: Person) -> None:
    """Give a person the client, and what it logs in with."""
    config, programs = person.home / "kubeconfig", person.home / "bin"
    shutil.copy2(cluster.kubeconfig, config)
    person.more["KUBECONFIG"] = str(config)
    programs.mkdir(exist_ok=True)
    shutil.copy2(cluster.programs.kubectl, programs / "kubectl")


def public(name: str) -> str:
    """Return an image with its tag, as the manifests name it."""
    found = re.search(rf"image: ({re.escape(name)}:\S+)", MANIFESTS)
    assert found is not None
    return found[1] if "/" in name else f"library/{found[1]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_a_page_can_be_followed(page: Path, person: Person, request: pytest.FixtureRequest) -> None:
    with ExitStack() as given:
        if page.parent.name == "docker":
            given.enter_context(images(request.getfixturevalue("docker"), person))
        if page.parent.name == "k8s":
            request.getfixturevalue("kubernetes")
            given.enter_context(nodes(request.getfixturevalue("docker"), person))
        follow(page, person)


@pytest.mark.usefixtures("docker")
@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_compose_has_nothing_to_remark(file: Path) -> None:
    first = ROOT / "deploy" / "docker" / "compose.yaml"
    words = [word for one in dict.fromkeys((first, file)) for word in ("--file", str(one))]
    argv = ["docker", "compose", *words, "config", "--quiet"]
    # What a layer wants is set; all else is as after a clone.
    env = {**os.environ, "DATA": "/srv/orders", "NETWORK": "observability"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("server", ["gunicorn", "uwsgi"])
def test_the_code_of_the_checkout_is_loaded_as_it_changes(
    person: Person, docker: Engine, server: str
) -> None:
    taken: set[int] = set()
    port, inner = other(taken), other(taken)
    person.more.update(PORT=str(port), INNER_PORT=str(inner))
    compose = "docker compose -f deploy/docker/compose.yaml -f deploy/docker/compose.dev.yaml"
    code = person.clone / "service" / "store" / "openapi.py"
    with images(docker, person, server):
        person.own()
        try:
            ran(person, f"make secrets; {compose} up --wait")
            code.write_text(code.read_text().replace('"The store"', '"My own store"'))
            probe.until(
                lambda: "My own store" in title(f"http://127.0.0.1:{port}") or None,
                what="the changed code to answer",
                timeout=STOP,
            )
        finally:
            ran(person, f"{compose} down --volumes")


def ran(person: Person, script: str) -> None:
    with person.types(script) as shell:
        assert shell.wait(DEADLINE) == 0, person.log.read_text(errors="replace")[-4000:]


def title(url: str) -> str:
    """Return how the app calls itself; nothing while a worker begins anew."""
    try:
        return httpx.get(f"{url}/api/openapi.json", trust_env=False).text
    except httpx.HTTPError:
        return ""


def follow(page: Path, person: Person) -> None:
    supply(page, person)
    person.own()
    with person.types(script(page)) as shell:
        try:
            assert shell.wait(DEADLINE) == 0, person.log.read_text(errors="replace")[-4000:]
            probe.until(
                lambda: None if living(shell.pid) else True,
                what="all that was started to end",
                timeout=STOP,
                last=lambda: str(living(shell.pid)),
            )
        finally:
            end(shell.pid)
