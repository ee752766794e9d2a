"""What the cluster says, and what it does not say."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.scripts.moorings.conftest import RecordingRunner

from moorings.errors import CommandError
from moorings.runner import LocalRunner, Result
from moorings.services.kubectl import Kubectl

PODS = ("pods", "--selector", "a=b")


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runner: RecordingRunner) -> Kubectl:
    (tmp_path / "kubectl").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return Kubectl(runner, {}, "shop")


@pytest.mark.parametrize("said", ["", '{"kind": "List", "items": []}'])
def test_none_is_an_answer(kubectl: Kubectl, runner: RecordingRunner, said: str) -> None:
    runner.answers["kubectl"] = Result(0, said)
    assert kubectl.every(*PODS) == kubectl.get(*PODS) == []
    assert kubectl.gone(*PODS)


def test_one_is_found_alone_and_in_a_list(kubectl: Kubectl, runner: RecordingRunner) -> None:
    one = {"metadata": {"name": "a"}}
    for said in (one, {"items": [one]}):
        runner.answers["kubectl"] = Result(0, json.dumps(said))
        assert kubectl.every(*PODS) == [one]
        assert kubectl.require("pod", "a") == one
        assert not kubectl.gone(*PODS)


def test_silence_is_none(kubectl: Kubectl, runner: RecordingRunner) -> None:
    runner.answers["kubectl"] = Result(1, "dial tcp 127.0.0.1:6443: connect: connection refused")
    assert kubectl.get(*PODS) == []
    assert not kubectl.gone(*PODS)
    for ask in (lambda: kubectl.every(*PODS), lambda: kubectl.require("pod", "a")):
        with pytest.raises(CommandError, match="the cluster of context shop does not answer: dial"):
            ask()


WARNING = "Warning: v1 ComponentStatus is deprecated {in v1.19+}"


def test_a_warning_is_no_part_of_an_answer(tmp_path: Path, kubectl: Kubectl) -> None:
    says = f"#!/bin/sh\necho '{WARNING}' >&2\necho '{{\"metadata\": {{}}}}'\n"
    (tmp_path / "kubectl").write_text(says)
    real = replace(kubectl, runner=LocalRunner(), env={"PATH": str(tmp_path)})
    assert real.every(*PODS) == [{"metadata": {}}]


def test_the_reason_of_a_failure_is_one(tmp_path: Path, kubectl: Kubectl) -> None:
    (tmp_path / "kubectl").write_text("#!/bin/sh\necho 'error: no such context' >&2\nexit 1\n")
    real = replace(kubectl, runner=LocalRunner(), env={"PATH": str(tmp_path)})
    assert real.ask(*PODS) == Result(1, "error: no such context\n")


@pytest.mark.parametrize("said", [WARNING, "no objects"])
def test_what_cannot_be_read_is_not_none(
    kubectl: Kubectl, runner: RecordingRunner, said: str
) -> None:
    runner.answers["kubectl"] = Result(0, said)
    with pytest.raises(CommandError, match="what kubectl says of pods cannot be read"):
        kubectl.every(*PODS)
    assert not kubectl.gone(*PODS)
