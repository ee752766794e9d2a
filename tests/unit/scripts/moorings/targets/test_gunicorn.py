"""Which commands the target gunicorn means, without running one."""

import json
import os
import signal
from pathlib import Path

import pytest

from moorings import settings, targets
from moorings.environments import Environments
from moorings.layout import Layout
from moorings.runner import Command, User
from moorings.target import Context, Release

RELEASE = Release("v1", "c").running_in({"WEB_CONCURRENCY": "2", "APP": "store:create_app()"})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with lock files, a release that is built and an environment that is made."""
    locks = tmp_path / "clone" / "service" / "requirements"
    locks.mkdir(parents=True)
    for name in ("base", "runtime", "gunicorn"):
        (locks / f"{name}.txt").write_text(name)
    return tmp_path / "clone"


def target(root: Path, runner, user: User | None = None):
    context = Context(
        settings.load(root, {}, {"server.port": "8123"}, targets.sections()),
        runner,
        Layout(root, root.parent / "state", "x"),
        user,
    )
    made = targets.make("gunicorn", context)
    # As a build leaves it; making it is the business of test_environments.
    place = root.parent / "state" / "environments"
    key = Environments(place, runner, user).key(_locks(root))
    (place / key).mkdir(parents=True)
    (place / key / "complete").touch()
    return made


def _locks(root: Path) -> list[Path]:
    folder = root / "service" / "requirements"
    return [folder / f"{name}.txt" for name in ("base", "runtime", "gunicorn")]


def test_the_candidate_is_started_on_a_private_port(root: Path, runner) -> None:
    made = target(root, runner)
    made.start(RELEASE)
    (command,) = runner.ran
    code = root.parent / "state" / "x" / "releases" / "v1"
    environment = made.releases.environment(RELEASE)
    assert list(command.argv) == [
        f"{environment}/bin/gunicorn",
        "--config",
        f"{code}/deploy/gunicorn/gunicorn.conf.py",
    ]
    assert command.cwd == code / "service"
    host, port = command.env["BIND"].split(":")
    assert host == "127.0.0.1"
    assert port != "8123"
    assert command.env["PYTHONPATH"] == str(code / "service")
    assert command.env["WORKER_CLASS"] == "gthread"


@pytest.mark.usefixtures("foreground")
def test_a_candidate_during_whose_start_ctrl_c_is_pressed_is_known(root: Path, runner) -> None:
    made = target(root, runner)

    def launch(command: Command) -> int:
        signal.raise_signal(signal.SIGINT)
        return os.getpid()

    runner.launch = launch
    with pytest.raises(KeyboardInterrupt):
        made.start(RELEASE)
    known = json.loads((root.parent / "state" / "x" / "masters.json").read_text())
    assert known["candidate"]["pid"] == os.getpid()


def test_the_migration_runs_by_the_app_s_rights_in_its_environment(root: Path, runner) -> None:
    made = target(root, runner)
    made.migrate(RELEASE, "python -m store.migrate --head 'a b'")
    (command,) = runner.ran
    assert list(command.argv) == ["python", "-m", "store.migrate", "--head", "a b"]
    assert command.env["PATH"].startswith(f"{made.releases.environment(RELEASE)}/bin:")
    assert "HOME" not in command.env


def test_the_column_names_server_and_worker(root: Path, runner) -> None:
    assert target(root, runner).column == "gunicorn-gthread"


def test_nothing_runs_before_the_first_deploy(root: Path, runner) -> None:
    made = target(root, runner)
    assert made.live() is None
    assert made.instances() == []
    assert made.endpoints().app == ""
    assert made.logs() == ""
    made.down()
    assert runner.ran == []
