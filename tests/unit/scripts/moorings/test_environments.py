"""One environment per lock hash: made once, whole or not at all."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from moorings import probe
from moorings.environments import Environments
from moorings.errors import BuildError, CommandError


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "base.txt"
    file.write_text("flask==3.1.3 --hash=sha256:0\n")
    return file


def test_it_is_made_from_the_locked_requirements_alone(tmp_path: Path, runner, lock: Path) -> None:
    made = Environments(tmp_path / "all", runner, None)
    (tmp_path / "all").mkdir()
    runner.run = _making(runner)
    place = made.of([lock])
    venv, pip = runner.argvs
    assert venv[1:] == ["-m", "venv", "--without-pip", str(place)]
    assert pip[1:] == [
        "-m", "pip", "--python", f"{place}/bin/python", "install",
        "--disable-pip-version-check", "--require-hashes", "--no-deps", "-r", str(lock),
    ]  # fmt: skip


def _making(runner):
    """Make the folder that a real venv would make."""
    plain = runner.run

    def run(argv, **options):
        if "venv" in argv:
            Path(argv[-1]).mkdir(parents=True)
        return plain(argv, **options)

    return run


def test_the_same_lock_is_not_installed_again(tmp_path: Path, runner, lock: Path) -> None:
    runner.run = _making(runner)
    made = Environments(tmp_path / "all", runner, None)
    first = made.of([lock])
    count = len(runner.ran)
    assert made.of([lock]) == first
    assert len(runner.ran) == count


def test_another_lock_is_another_environment(tmp_path: Path, runner, lock: Path) -> None:
    runner.run = _making(runner)
    made = Environments(tmp_path / "all", runner, None)
    first = made.of([lock])
    lock.write_text("flask==3.1.4 --hash=sha256:0\n")
    assert made.of([lock]) != first


def test_one_that_was_cut_off_is_made_again(tmp_path: Path, runner, lock: Path) -> None:
    made = Environments(tmp_path / "all", runner, None)
    plain = _making(runner)

    def broken(argv, **options):
        if "pip" in argv:
            raise CommandError("pip ended with status 1", log="no such hash")
        return plain(argv, **options)

    runner.run = broken
    with pytest.raises(BuildError) as caught:
        made.of([lock])
    assert caught.value.log == "no such hash"
    runner.run = plain
    assert (made.of([lock]) / "complete").exists()


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (
            "ERROR: Could not find a version that satisfies the requirement a==9 (from ...)\n"
            "ERROR: No matching distribution found for a==9",
            "No matching distribution found for a==9",
        ),
        (
            "Collecting a\nERROR: Cannot install a and b==1 because of a conflict.\n"
            "The conflict is caused by:\n    a depends on b>=2\n"
            "ERROR: ResolutionImpossible: for help visit a page",
            "Cannot install a and b==1 because of a conflict.",
        ),
        (
            "Collecting a\n  error: subprocess-exited-with-error\n  no pg_config\n"
            "ERROR: Failed building wheel for a",
            "Failed building wheel for a",
        ),
        ("Killed", "pip ended with status 1"),
    ],
)
def test_the_reason_is_pip_s_own(tmp_path: Path, runner, lock: Path, log: str, reason: str) -> None:
    plain = _making(runner)

    def broken(argv, **options):
        if "pip" in argv:
            raise CommandError("pip ended with status 1", log=log)
        return plain(argv, **options)

    runner.run = broken
    with pytest.raises(BuildError) as caught:
        Environments(tmp_path / "all", runner, None).of([lock])
    assert caught.value.fact == f"could not make the environment: {reason}"
    assert caught.value.log == log.removeprefix("Collecting a\n")


def test_ctrl_c_leaves_nothing_half_made(tmp_path: Path, runner, lock: Path) -> None:
    plain = _making(runner)

    def stopped(argv, **options):
        if "pip" in argv:
            raise KeyboardInterrupt
        return plain(argv, **options)

    runner.run = stopped
    with pytest.raises(KeyboardInterrupt):
        Environments(tmp_path / "all", runner, None).of([lock])
    assert not any(one.is_dir() for one in (tmp_path / "all").iterdir())


def test_of_two_at_once_the_second_waits_and_finds_it_made(
    tmp_path: Path, runner, lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = _making(runner)
    installs, go_on = threading.Event(), threading.Event()

    def slow(argv, **options):
        if "pip" in argv:
            installs.set()
            assert go_on.wait(timeout=10)
        return plain(argv, **options)

    runner.run = slow
    made = Environments(tmp_path / "all", runner, None)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(made.of, [lock])
        assert installs.wait(timeout=10)
        second = pool.submit(made.of, [lock])
        seen = probe.until(
            lambda: capsys.readouterr().out.partition("Waiting for another")[1] or None,
            what="the second to wait", timeout=10,
        )  # fmt: skip
        go_on.set()
        assert first.result(timeout=10) == second.result(timeout=10)
    assert seen
    assert len(runner.ran) == 2


def test_the_app_s_own_requirements_come_after_ours(tmp_path: Path, runner, lock: Path) -> None:
    runner.run = _making(runner)
    own = tmp_path / "requirements.txt"
    own.write_text("flask\n")
    Environments(tmp_path / "all", runner, None).of([lock], own)
    assert runner.argvs[-1][-2:] == ["-r", str(own)]
    assert "--require-hashes" not in runner.argvs[-1]
