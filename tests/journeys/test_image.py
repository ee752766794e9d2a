"""The image of one commit is the same when it is built again, and small."""

import hashlib
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from moorings import deployment
from moorings.services import compose_shown
from moorings.services.engine import Engine
from moorings.target import Release
from moorings.targets.docker import ROOT, Docker

#: CI has the time for one of them.
SERVERS = ("gunicorn", "uwsgi", "apache") if os.environ.get("FULL") else ("gunicorn",)

#: Megabytes that each may have over its base.
MOST = {"gunicorn": 110, "uwsgi": 110, "apache": 220}

#: A file in a layer: path, type, mode, owner and group, target of a link, bytes.
Member = tuple[str, bytes, int, int, int, str, str]


def members(layer: IO[bytes]) -> list[Member]:
    """Return all that is in a layer; the times are those of the build."""
    with tarfile.open(fileobj=layer) as archive:
        return [
            (one.name, one.type, one.mode, one.uid, one.gid, one.linkname, content(archive, one))
            for one in archive
        ]


def content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    """Return the digest of a file's bytes."""
    part = archive.extractfile(member) if member.isfile() else None
    return hashlib.sha256(part.read()).hexdigest() if part is not None else ""


def layers(engine: Engine, image: str, place: Path) -> list[list[Member]]:
    """Return what is in each layer of an image."""
    file = place / "image.tar"
    engine.do("save", "--output", str(file), image, timeout=120)
    with tarfile.open(file) as archive:
        listed = archive.extractfile("manifest.json")
        assert listed is not None
        parts = [archive.extractfile(name) for name in json.load(listed)[0]["Layers"]]
        return [members(part) for part in parts if part is not None]


def size(engine: Engine, image: str) -> float:
    """Return the megabytes of an image."""
    return int(engine.ask("image", "inspect", "--format", "{{.Size}}", image).output) / 1e6


@dataclass(frozen=True)
class Built:
    """What came of a build."""

    layers: list[list[Member]]
    over_base: float
    """Megabytes."""


@contextmanager
def sources(name: str, server: str) -> Iterator[tuple[Docker, Release]]:
    """Lend a target with a name of its own, and what it would build."""
    flags = {"deployment.name": name, "docker.server": server}
    made = deployment.open(ROOT, os.environ, flags, "docker")
    target, release = made.target, made.target.version()
    assert isinstance(target, Docker)
    try:
        yield target, release
    finally:
        target.images.remove(release.version)
        made.context.runner.remove(made.layout.home)


def built(name: str, server: str, place: Path, *more: str) -> Built:
    """Build an image under a name, and look at it."""
    with sources(name, server) as (target, release):
        image, base = target.images.name(release.version), target.images.bases()["BASE_IMAGE"]
        target.images.build(release, *more)
        for part, content in compose_shown.layers(target.engine, image):
            assert not [line for line in lent(target) if line in content], part
        over = size(target.engine, image) - size(target.engine, base)
        return Built(layers(target.engine, image, place), over)


def lent(target: Docker) -> list[bytes]:
    """Return the lines by which a build reached packages: where this machine has them from."""
    words = target.images.secrets()[1::2]
    named = dict(word.removeprefix("id=").split(",src=") for word in words)
    texts = [Path(file).read_text() for name, file in named.items() if name != "ca"]
    lines = {line for text in texts for line in text.splitlines() if "://" in line}
    assert lines, "nothing was lent, so that nothing could be found"
    return [line.encode() for line in lines]


def by_compose(target: Docker, release: Release, place: Path) -> list[list[Member]]:
    """Let Compose build the image by its own file, from a base that stands for the public one."""
    base, image = target.images.bases()["BASE_IMAGE"], target.images.name(release.version)
    lent = [word.split(",src=") for word in target.images.secrets()[1::2]]
    files = {name.removeprefix("id="): {"file": file} for name, file in lent}
    build = {"network": "host", "secrets": [*files],
             "args": {"PYTHON_IMAGE": base, "DEBIAN_IMAGE": base}}  # fmt: skip
    layer = place / "stand-ins.json"
    layer.write_text(json.dumps({"services": {"blue": {"build": build}}, "secrets": files}))
    env = {**target.engine.environment, "BLUE_IMAGE": image, "RELEASE": release.version,
           "COMMIT": release.commit}  # fmt: skip
    argv = ["docker", "compose", "--file", str(ROOT / "deploy" / "docker" / "compose.yaml"),
            "--file", str(layer), "build", "blue"]  # fmt: skip
    subprocess.run(argv, env=env, check=True, timeout=600)
    return layers(target.engine, image, place)


@pytest.mark.usefixtures("docker")
@pytest.mark.parametrize("server", SERVERS)
def test_two_builds_have_the_same_layers_and_are_small(server: str, tmp_path: Path) -> None:
    name = f"image-{os.getpid()}"
    first = built(f"{name}-1", server, tmp_path)
    second = built(f"{name}-2", server, tmp_path, "--no-cache")
    print(f"{server}: {first.over_base:.0f} MB over the base")
    assert first.over_base < MOST[server]
    assert sum(map(len, first.layers)) > 1000
    assert len(first.layers) == len(second.layers)
    for one, other in zip(first.layers, second.layers, strict=True):
        assert set(one) ^ set(other) == set()


@pytest.mark.usefixtures("docker")
def test_compose_builds_the_same_by_its_own_file(tmp_path: Path) -> None:
    first = built(f"image-{os.getpid()}-1", "gunicorn", tmp_path)
    with sources(f"image-{os.getpid()}-2", "gunicorn") as (target, release):
        second = by_compose(target, release, tmp_path)
    assert len(first.layers) == len(second)
    for one, other in zip(first.layers, second, strict=True):
        assert set(one) ^ set(other) == set()
