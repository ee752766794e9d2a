"""Which base images are taken, by an engine that only says what it has."""

from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.layout import Layout
from moorings.runner import Command, Result
from moorings.services import base_choice
from moorings.services.base_choice import AUTO, DEBIAN, PUBLIC, of_debian
from moorings.services.engine import Engine

ROOT = Path(__file__).resolve().parents[5]

HAS, LACKS = Result(0, "sha256:1\n"), Result(1, "Error: No such image")


class Client(RecordingRunner):
    """An engine that has some images and may reach a registry."""

    def __init__(self, own: bool, public: bool, reaches: bool) -> None:
        super().__init__()
        self.said = {
            "ls": HAS if own else Result(0),
            "inspect": HAS if public else LACKS,
            "pull": Result(0 if reaches else 1),
        }

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        return next(found for word, found in self.said.items() if word in command.argv)


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docker").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def chosen(client: Client, wanted: str = AUTO) -> bool:
    layout = Layout(Path("/x"), Path("/x"), "x")
    return of_debian(Engine(client, layout, {}), wanted, "python:1")


def test_a_choice_of_the_operator_asks_nothing() -> None:
    client = Client(own=False, public=False, reaches=True)
    assert chosen(client, DEBIAN)
    assert not chosen(client, PUBLIC)
    assert client.argvs == []


@pytest.mark.parametrize(
    ("own", "public", "debian"), [(True, False, True), (True, True, True), (False, True, False)]
)
def test_what_the_engine_has_is_taken_and_no_registry_is_asked(
    own: bool, public: bool, debian: bool
) -> None:
    client = Client(own, public, reaches=not debian)
    assert chosen(client) is debian
    assert not any("pull" in argv for argv in client.argvs)


@pytest.mark.parametrize("reaches", [True, False])
def test_a_registry_that_answers_has_them_and_is_waited_for_only_so_long(reaches: bool) -> None:
    client = Client(own=False, public=False, reaches=reaches)
    assert chosen(client) is not reaches
    assert client.argvs[-1] == ["docker", "pull", "--quiet", "python:1"]
    assert client.ran[-1].timeout == base_choice.PATIENCE


def test_the_image_that_is_asked_for_is_that_of_the_dockerfile() -> None:
    found = base_choice.python_image(ROOT / "deploy" / "docker" / "Dockerfile")
    assert found.startswith("python:3.11.")
