"""What the target uwsgi runs, and how it reads what uWSGI says of its configuration."""

from pathlib import Path

import pytest

from moorings import settings, targets
from moorings.environments import Environments
from moorings.errors import CommandError
from moorings.layout import Layout
from moorings.runner import Result
from moorings.target import Context, Release

RELEASE = Release("v1", "c").running_in({"WEB_CONCURRENCY": "2", "APP": "store:create_app()"})
GOOD = '[uWSGI] getting INI configuration from uwsgi.ini\nrunning "exit:0" (asap)...\n'


@pytest.fixture
def kind() -> str:
    """What stands before it."""
    return "none"


@pytest.fixture
def more() -> dict[str, object]:
    """Other settings."""
    return {}


@pytest.fixture
def target(tmp_path: Path, runner, kind: str, more: dict[str, object]):
    """The target of a checkout whose environment is made."""
    root = tmp_path / "clone"
    locks = root / "service" / "requirements"
    locks.mkdir(parents=True)
    files = [locks / f"{name}.txt" for name in ("base", "runtime", "uwsgi")]
    for file in files:
        file.write_text(file.stem)
    flags = {"server.port": "8123", "gateway.kind": kind, **more}
    read = settings.load(root, {}, flags, targets.sections())
    made = targets.make("uwsgi", Context(read, runner, Layout(root, tmp_path / "s", "x"), None))
    place = tmp_path / "s" / "environments"
    key = Environments(place, runner, None).key(files)
    (place / key).mkdir(parents=True)
    (place / key / "complete").touch()
    return made


def test_a_master_writes_its_messages_as_lines(target, runner) -> None:
    target.start(RELEASE)
    (command,) = runner.ran
    programs = target.releases.environment(RELEASE) / "bin"
    ini = target.releases.folder(RELEASE) / "deploy" / "uwsgi" / "uwsgi.ini"
    assert list(command.argv) == [
        f"{programs}/python",
        "-m",
        "runtime.messages",
        f"{programs}/uwsgi",
        "--ini",
        str(ini),
    ]
    assert command.env["PROTOCOL"] == "http"


@pytest.mark.parametrize(
    ("status", "said", "shown"),
    [
        (1, "[strict-mode] unknown config directive: harakri\n", "unknown config directive: harak"),
        (0, '*** WARNING: Can\'t find section "uwsgi" in uwsgi.ini ***\n', "Can't find section"),
        (0, "!!! UNABLE to load uWSGI plugin: ./gone_plugin.so: none !!!\n", "gone_plugin.so"),
    ],
)
def test_a_broken_configuration_is_refused_with_its_line(
    target, runner, status: int, said: str, shown: str
) -> None:
    head, tail = GOOD.splitlines(keepends=True)
    runner.answers["uwsgi"] = Result(status, head + said + (tail if not status else ""))
    with pytest.raises(CommandError, match="uWSGI refuses its configuration") as refused:
        target.reload(RELEASE)
    assert shown in refused.value.fact
    assert "was not touched" in refused.value.hint


def test_the_check_opens_nothing(target, runner) -> None:
    command = target.server.checking(["python", "-m", "runtime.messages", "uwsgi", "--ini", "x"])
    assert command == ["uwsgi", "--ini", "x", "--hook-asap", "exit:0"]


@pytest.mark.parametrize(("kind", "column"), [("", "uwsgi"), ("none", "uwsgi-http")])
def test_what_clients_reach_is_in_the_column_s_name(target, column: str) -> None:
    assert target.column == column


@pytest.mark.parametrize("kind", ["nginx"])
def test_behind_nginx_the_candidate_alone_speaks_http(target, runner) -> None:
    target.start(RELEASE)
    (command,) = runner.ran
    assert command.env["PROTOCOL"] == "http"
    assert target._launch(RELEASE).env["PROTOCOL"] == "uwsgi"


@pytest.mark.parametrize(
    ("more", "seconds"),
    [({"server.deadline": 9, "server.timeout": 60}, "60"), ({"server.deadline": 0}, None)],
)
def test_only_what_a_deadline_should_have_cut_is_killed(target, seconds: str | None) -> None:
    assert target._launch(RELEASE).env.get("HARAKIRI") == seconds
