"""What the target does with a cluster, by a client of it that only records."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings import deployment
from moorings.errors import CommandError
from moorings.runner import Command, Result
from moorings.target import Release
from moorings.targets.k8s import K8s

ROOT = Path(__file__).resolve().parents[5]
UNAUTHORIZED = Result(1, "error: You must be logged in to the server (Unauthorized)")
REFUSED = "the credentials of context kind-shop are refused"


def context(name: str, server: str = "https://127.0.0.1:6443") -> Result:
    """A `kubectl config view --minify`."""
    view = {"current-context": name, "clusters": [{"name": name, "cluster": {"server": server}}]}
    return Result(0, json.dumps(view))


class Client(RecordingRunner):
    """Answers kubectl by the first words of a command, the longest that are known."""

    def __init__(self, **said: Result) -> None:
        super().__init__()
        self.said = {"config view": context("kind-shop"),
                     **{name.replace("_", " "): one for name, one in said.items()}}  # fmt: skip

    def finish(self, command: Command) -> Result:
        self.ran.append(command)
        if Path(command.argv[0]).name != "kubectl":
            return Result(0)
        words = " ".join(self._words(command))
        known = [name for name in self.said if f"{words} ".startswith(f"{name} ")]
        return self.said[max(known, key=len)] if known else self.said.get("", Result(0))

    @staticmethod
    def _words(command: Command) -> list[str]:
        """Return a command without where it goes."""
        words = list(command.argv[1:])
        while words[0] in ("--context", "--namespace"):
            del words[:2]
        return words

    @property
    def asked(self) -> list[str]:
        """The commands of kubectl."""
        return [" ".join(self._words(one)) for one in self.ran
                if Path(one.argv[0]).name == "kubectl"]  # fmt: skip

    @property
    def did(self) -> list[str]:
        """Those that change something."""
        looks = ("get", "config", "auth", "logs")
        return [words for words in self.asked if words.split()[0] not in looks]


Opens = Callable[..., K8s]


@pytest.fixture
def opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opens:
    """Return the target of a deployment of the test's own, which finds a kubectl."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "kubectl").touch(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("CI", raising=False)

    def made(client: Client, **flags: object) -> K8s:
        own = {"deployment.state": str(tmp_path / "state"), "deployment.name": "shop"}
        more = {name.replace("_", "."): one for name, one in flags.items()}
        found = deployment.open(ROOT, {}, {**own, **more}, "k8s", client, looks_only=True).target
        assert isinstance(found, K8s)
        return found

    return made


def test_silence_is_no_empty_cluster(opens: Opens) -> None:
    silent = opens(Client(get=UNAUTHORIZED))
    with pytest.raises(CommandError, match=REFUSED) as refused:
        silent.live()
    assert refused.value.hint == "log in to it anew"


def test_what_is_there_is_not_taken_away_by_silence(opens: Opens) -> None:
    client = Client(get=Result(1, "Unable to connect to the server: timeout"))
    with pytest.raises(CommandError, match="kind-shop does not answer: Unable to connect"):
        opens(client).down(volumes=True)
    assert client.did == []


def test_a_reload_that_fails_says_why_whatever_becomes_of_its_pod(
    opens: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    target = opens(Client(get=UNAUTHORIZED))
    target.start = lambda release: None  # type: ignore[method-assign]
    target.live = lambda: None  # type: ignore[method-assign]

    def broken(release: Release) -> str:
        raise CommandError("the first error")

    target.prove_url = broken  # type: ignore[method-assign]
    with pytest.raises(CommandError, match="the first error"):
        target.reload(Release("a", ""))
    assert "the pod of the proof was not taken away" in capsys.readouterr().err
