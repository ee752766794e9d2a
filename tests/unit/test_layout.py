"""One name, three places: what a target consists of is a law of the tree."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from moorings import targets

ROOT = Path(__file__).resolve().parents[2]
HEADINGS = ["What runs", "By hand", "With moor", "Tune", "When it fails"]


def folders() -> list[str]:
    return [one.name for one in (ROOT / "deploy").iterdir() if one.is_dir() and one.name != "parts"]


def test_every_folder_of_deploy_is_a_target() -> None:
    assert sorted(folders()) == targets.names()


@pytest.mark.parametrize("name", targets.names())
@pytest.mark.parametrize(
    "place",
    [
        "deploy/{}",
        "deploy/{}/README.md",
        "scripts/moorings/targets/{}.py",
        "tests/targets/test_{}.py",
        "service/requirements/{}.in",
        "service/requirements/{}.txt",
    ],
)
def test_a_target_has_its_places(name: str, place: str) -> None:
    path = place.format(name)
    assert (ROOT / path).exists(), f"{path} is missing"


@pytest.mark.parametrize(
    "page", sorted((ROOT / "deploy").rglob("README.md")), ids=lambda page: page.parent.name
)
def test_every_page_of_deploy_has_the_same_headings(page: Path) -> None:
    assert re.findall(r"^## (.*)$", page.read_text(), re.MULTILINE) == HEADINGS


@pytest.mark.parametrize(
    "page", sorted((ROOT / "deploy").rglob("README.md")), ids=lambda page: page.parent.name
)
def test_by_hand_can_be_run_and_needs_no_moor(page: Path) -> None:
    """What is marked is run by tests/journeys/test_by_hand.py, which looks nowhere else."""
    text = page.read_text()
    by_hand = text.split("\n## By hand\n")[1].split("\n## ")[0]
    assert by_hand.count("\n```sh runnable\n") == text.count("runnable\n") > 0
    assert not re.search(r"\bmoor\b", by_hand)
    # Each port is a variable, as `PORT=8000`: the test has another one.
    assert not re.search(r"127\.0\.0\.1:\d", "".join(by_hand.split("\n```")[1::2]))


def modules(folder: str) -> list[Path]:
    # The apps that the contract deploys are no part of the package.
    found = (ROOT / folder).rglob("*.py")
    return sorted(file for file in found if "apps" not in file.parts)


def imports(file: Path) -> set[str]:
    """Return the top packages that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize(
    ("room", "strangers"),
    [
        (
            "service/store",
            {"runtime", "moorings", "opentelemetry", "gunicorn", "prometheus_client"},
        ),
        ("service/runtime", {"store", "moorings"}),
        ("scripts/moorings", {"store", "runtime", "flask", "sqlalchemy"}),
        ("deploy", {"store", "moorings"}),
    ],
)
def test_who_may_import_whom(room: str, strangers: set[str]) -> None:
    wrong = {
        str(file.relative_to(ROOT)): found
        for file in modules(room)
        if (found := imports(file) & strangers)
    }
    assert modules(room)
    assert wrong == {}


def test_no_target_is_named_outside_its_own_module() -> None:
    """Policy branches on no target."""
    # The program that asks an engine has a target's name.
    allowed = {("services", "docker.py"), ("services", "engine.py")}
    for file in modules("scripts/moorings"):
        parts = file.relative_to(ROOT / "scripts" / "moorings").parts
        if parts[0] in ("targets", "contract") or parts in allowed:
            continue
        words = {
            node.value
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert words.isdisjoint(targets.names()), f"{file} names a target"


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT / "scripts").with_suffix("").parts)


def needed(file: Path) -> set[str]:
    """Return the modules of ours that a module imports when it is itself imported."""
    found: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("moorings"):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def test_no_modules_import_each_other() -> None:
    """Whichever of them is imported first, it must work."""
    files = {name_of(file): file for file in modules("scripts/moorings")}
    graph = {name: needed(file) & files.keys() for name, file in files.items()}
    assert any(graph.values())
    TopologicalSorter(graph).prepare()
