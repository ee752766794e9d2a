"""`moor prove`: which columns are proved, which reports are kept, and how it ends."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from moorings.contract import kept, registry
from moorings.contract.prove import Proof, choose, content, run
from moorings.contract.run import Run
from moorings.errors import MoorError, UsageError

COLUMNS = ["gunicorn-gthread", "gunicorn-sync"]


@dataclass
class Suite:
    """Writes the report that a run of the suite would, and keeps what was run."""

    outcome: str = "pass"
    without: str = ""
    """A check that it leaves out."""
    stops: str = ""
    """The worker at which somebody presses Ctrl-C."""
    ran: list[str] = field(default_factory=list)

    def __call__(self, run: Run, reports: Path) -> int:
        worker = str(run.flags["gunicorn.worker"])
        self.ran.append(worker)
        if worker == self.stops:
            raise KeyboardInterrupt
        ids = [str(one) for one in registry.load() if str(one) != self.without]
        checks = [{"id": id, "outcome": self.outcome} for id in ids]
        report = {"column": f"gunicorn-{worker}", "size": "full", "checks": checks}
        reports.mkdir(exist_ok=True)
        (reports / f"gunicorn-{worker}.json").write_text(json.dumps(report))
        return 0


@pytest.fixture
def proof(tmp_path: Path) -> Proof:
    return Proof(Suite(), lambda: "this tree", tmp_path / "reports", tmp_path / "grid")


def again(proof: Proof, suite: Suite, wanted: Sequence[str] = COLUMNS) -> int:
    return run(wanted, replace(proof, check=suite))


def test_a_report_is_kept_with_what_it_is_a_report_on(proof: Proof) -> None:
    assert run(COLUMNS, proof) == 0
    assert [file.name for file in sorted(proof.grid.iterdir())] == [
        "gunicorn-gthread.json", "gunicorn-sync.json",
    ]  # fmt: skip
    report = kept.of("gunicorn-sync", proof.grid)
    assert report["content"] == "this tree"
    assert kept.whole(report)


def test_what_is_proved_is_not_proved_again(proof: Proof) -> None:
    run(COLUMNS[:1], proof)
    suite = Suite()
    assert again(proof, suite) == 0
    assert suite.ran == ["sync"]


def test_another_tree_is_proved_again(proof: Proof) -> None:
    run(COLUMNS, proof)
    suite = Suite()
    again(replace(proof, content=lambda: "another"), suite)
    assert suite.ran == ["gthread", "sync"]


def test_a_stop_keeps_what_is_done(proof: Proof) -> None:
    with pytest.raises(KeyboardInterrupt):
        again(proof, Suite(stops="sync"))
    suite = Suite()
    assert again(proof, suite) == 0
    assert suite.ran == ["sync"]


@pytest.mark.parametrize(("outcome", "ends"), [("fail", 1), ("skip", 1), ("limit", 0), ("n/a", 0)])
def test_red_is_kept_and_said_and_proved_again(proof: Proof, outcome: str, ends: int) -> None:
    assert again(proof, Suite(outcome)) == ends
    assert kept.of(COLUMNS[0], proof.grid)["checks"][0]["outcome"] == outcome
    suite = Suite()
    again(proof, suite)
    assert len(suite.ran) == 2 * ends


def test_a_part_is_no_proof(proof: Proof) -> None:
    suite = Suite(without="serve.ready")
    with pytest.raises(MoorError, match="gunicorn-gthread: the suite did not come through"):
        again(proof, suite)
    assert suite.ran == ["gthread"]
    assert not proof.grid.exists()


def test_an_old_report_of_the_run_is_not_mixed_in(proof: Proof) -> None:
    again(proof, Suite())
    with pytest.raises(MoorError, match="did not come through"):
        again(replace(proof, content=lambda: "new"), Suite(without="serve.ready"))
    assert kept.of(COLUMNS[0], proof.grid)["content"] == "this tree"


def test_a_report_is_on_one_tree(proof: Proof) -> None:
    trees = iter(["old", "old", "new"])
    with pytest.raises(MoorError, match="the tree changed while gunicorn-sync was proved"):
        run(["gunicorn-sync"], replace(proof, content=lambda: next(trees)))
    assert not proof.grid.exists()


def test_all_columns_unless_some_are_named() -> None:
    assert set(COLUMNS) < set(choose([]))
    assert list(choose(["gunicorn-sync"])) == ["gunicorn-sync"]
    assert choose(["gunicorn-sync"])["gunicorn-sync"].full


def test_an_unknown_column_starts_nothing(proof: Proof) -> None:
    with pytest.raises(UsageError, match="did you mean gunicorn-sync"):
        run(["gunicorn-snyc"], proof)


def test_the_content_is_a_hash() -> None:
    assert len(content()) == 16
    assert int(content(), 16) >= 0


def test_a_broken_report_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "fake.json").write_text("[half")
    assert kept.of("fake", tmp_path) == {}
    assert not kept.whole({})


def test_a_kept_report_names_no_folder_of_this_machine(tmp_path: Path) -> None:
    places = (tmp_path, Path("/"))
    assert kept.unplaced(f'"{tmp_path}/app/x: /readyz"', places) == '"app/x: /readyz"'
    kept.write({"column": "fake", "said": f"no {kept.ROOT}/moor.toml"}, tmp_path)
    assert kept.of("fake", tmp_path)["said"] == "no moor.toml"
