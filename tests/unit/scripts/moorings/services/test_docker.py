"""An engine that is not there, or hangs, is an answer and not an error."""

import pytest

from moorings.errors import CommandError, NeedError
from moorings.runner import LocalRunner, Result
from moorings.services import docker


class Engine(LocalRunner):
    """Answers each command by its first words; raises what is an exception."""

    def __init__(self, **answers: Result | Exception) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.patience = 0.0

    def run(self, argv, **options) -> Result:  # type: ignore[no-untyped-def]
        self.asked.append(argv[1])
        self.patience = options["timeout"]
        answer = self.answers.get(argv[1], Result(0))
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def _client(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("_client")
@pytest.mark.parametrize(
    ("engine", "has"),
    [
        (Engine(), True),
        (Engine(image=Result(1)), True),
        (Engine(image=Result(1), pull=Result(1)), False),
        (Engine(image=Result(1), pull=CommandError("docker did not end within 300 s")), False),
        (Engine(version=Result(1)), False),
        (Engine(version=CommandError("docker did not end within 15 s")), False),
    ],
)
def test_an_image_is_had_where_an_engine_has_it_or_can_pull_it(engine: Engine, has: bool) -> None:
    assert docker.has_image(engine, "jaeger:1") is has


@pytest.mark.usefixtures("_client")
def test_what_is_there_is_not_pulled() -> None:
    engine = Engine()
    docker.has_image(engine, "jaeger:1")
    assert engine.asked == ["version", "image"]


@pytest.mark.usefixtures("_client")
def test_a_pull_is_waited_for_as_long_as_said() -> None:
    engine = Engine(image=Result(1))
    docker.has_image(engine, "jaeger:1", patience=20)
    assert (engine.asked[-1], engine.patience) == ("pull", 20)


def test_without_a_client_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    engine = Engine()
    assert not docker.answers(engine)
    assert engine.asked == []


def test_a_container_of_an_engine_that_went_away_does_not_run() -> None:
    gone = Engine(inspect=NeedError("docker is not installed"))
    assert not docker.is_running(gone, "jaeger")
    docker.remove(gone, "jaeger", grace=1)
    assert gone.asked == ["inspect", "inspect"]


def test_a_container_listens_on_loopback_and_may_do_nothing_else() -> None:
    argv = docker.run_argv(
        "shop-jaeger", "jaeger:1", user="999:995", command=["--config", "/etc/jaeger/jaeger.yaml"],
        env={"JAEGER_STORAGE": "badger"}, ports={"query": 16686, "thrift_compact": 6831},
        mounts={"/state/jaeger": "/etc/jaeger"}, volumes={"/state/data": "/badger"},
    )  # fmt: skip
    assert argv == [
        "docker", "run", "--detach", "--name", "shop-jaeger", "--label", "moorings=service",
        "--user", "999:995", "--read-only", "--cap-drop", "ALL",
        "--security-opt", "no-new-privileges", "--tmpfs", "/tmp",
        "--publish", "127.0.0.1:16686:16686", "--publish", "127.0.0.1:6831:6831/udp",
        "--env", "JAEGER_STORAGE=badger",
        "--mount", "type=bind,source=/state/jaeger,target=/etc/jaeger,readonly",
        "--mount", "type=bind,source=/state/data,target=/badger",
        "jaeger:1", "--config", "/etc/jaeger/jaeger.yaml",
    ]  # fmt: skip
