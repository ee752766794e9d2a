"""The same tree is the same version, with git and without."""

import subprocess
from pathlib import Path

import pytest

from moorings import tree
from moorings.errors import BuildError


def git(folder: Path, *argv: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", "-C", str(folder), *who, *argv], check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "a folder"
    (made / "app").mkdir(parents=True)
    (made / "app" / "app.py").write_text("one")
    (made / "notes.md").write_text("two")
    return made


@pytest.fixture
def repository(folder: Path) -> Path:
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    return folder


def test_a_clean_tree_is_named_by_its_commit(repository: Path) -> None:
    found = tree.version(repository)
    assert found.name == found.commit[:12]
    assert len(found.commit) == 40


def test_a_dirty_tree_has_its_content_in_the_name(repository: Path) -> None:
    clean = tree.version(repository)
    (repository / "app" / "app.py").write_text("changed")
    dirty = tree.version(repository)
    assert dirty.name.startswith(f"{clean.name}-")
    (repository / "app" / "app.py").write_text("one")
    assert tree.version(repository) == clean


def test_two_folders_of_one_repository_are_two_versions(repository: Path) -> None:
    (repository / "other").mkdir()
    (repository / "other" / "app.py").write_text("another")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "second")
    app, other = tree.version(repository / "app"), tree.version(repository / "other")
    assert app.commit == other.commit
    assert app.name != other.name


def test_what_is_not_part_of_it_does_not_count(repository: Path) -> None:
    clean = tree.version(repository, ["app"])
    (repository / "notes.md").write_text("changed")
    assert tree.version(repository, ["app"]) == clean


def test_a_tree_without_git_is_named_by_its_content(folder: Path) -> None:
    first = tree.version(folder)
    (folder / "app" / "app.py").chmod(0o755)
    assert first.commit == ""
    assert tree.version(folder).name != first.name


def test_what_git_ignores_is_left_out(repository: Path) -> None:
    (repository / ".gitignore").write_text("*.log\n")
    (repository / "app" / "a.log").write_text("")
    assert tree.files(repository, ["app"]) == [Path("app/app.py")]


def test_caches_and_environments_are_left_out_without_git(folder: Path) -> None:
    for name in ("__pycache__", ".venv"):
        (folder / "app" / name).mkdir()
        (folder / "app" / name / "x").write_text("")
    assert tree.files(folder, ["app"]) == [Path("app/app.py")]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="holds no files"):
        tree.files(tmp_path)


def test_a_copy_can_be_read_by_the_service(folder: Path, tmp_path: Path) -> None:
    (folder / "app" / "app.py").chmod(0o600)
    tree.copy(folder, ["app"], tmp_path / "copy")
    assert (tmp_path / "copy" / "app" / "app.py").stat().st_mode & 0o777 == 0o644
