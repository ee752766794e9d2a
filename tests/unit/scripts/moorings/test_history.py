"""The record of releases and the audit lines, in a folder of the test's own."""

import json
from pathlib import Path

import pytest

from moorings import history
from moorings.errors import MoorError, NotReadyError
from moorings.history import KEEP, Entry, History
from moorings.target import Release


def release(version: str) -> Release:
    return Release(version, f"commit of {version}")


@pytest.fixture
def record(tmp_path: Path) -> History:
    return History(tmp_path / "home")


def versions(record: History) -> list[str]:
    return [one.version for one in record.entries()]


def serve(record: History, *names: str) -> None:
    live = next((one.release for one in record.entries()), None)
    for name in names:
        record.served(release(name), live)
        live = release(name)


def test_the_newest_five_are_kept(record: History) -> None:
    serve(record, *"abcdefg")
    assert versions(record) == list("gfedc")
    assert record.versions() == set("gfedc")
    assert len(record.entries()) == KEEP


def test_one_that_serves_again_is_the_newest(record: History) -> None:
    serve(record, *"abca")
    assert versions(record) == list("acb")


def test_the_same_code_under_other_settings_goes_back_to_the_one_before(record: History) -> None:
    serve(record, *"abb")
    assert record.entries()[0].before == "a"


def test_what_served_unrecorded_can_be_gone_back_to(record: History) -> None:
    record.served(release("b"), release("a"))
    assert [(one.version, one.before) for one in record.entries()] == [("b", "a"), ("a", "")]


def test_a_failed_one_is_listed_and_takes_no_place(record: History) -> None:
    serve(record, *"abcde")
    record.failed(release("bad"))
    assert versions(record) == ["bad", *"edcba"]
    assert record.versions() == set("abcde")


def test_a_kept_one_whose_redeploy_failed_stays_kept(record: History) -> None:
    serve(record, *"ab")
    record.failed(release("a"))
    assert record.versions() == {"a", "b"}


def test_who_and_when_are_written_down(record: History) -> None:
    serve(record, "a")
    (entry,) = record.entries()
    assert entry.release == release("a")
    assert "@" in entry.by
    assert entry.at.endswith("Z")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "null",
        "[1]",
        '[{"version": "a"}]',
        '[{"version": "../../etc", "commit": "", "at": "", "by": "", "failed": false,'
        ' "before": ""}]',
        '[{"version": 3, "commit": "", "at": "", "by": "", "failed": false, "before": ""}]',
    ],
)
def test_a_broken_record_is_told_and_started_anew(
    record: History, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record.home.mkdir()
    record.record.write_text(text)
    assert record.entries() == []
    assert "releases.json is not readable and is started anew" in capsys.readouterr().err
    serve(record, "a")
    assert versions(record) == ["a"]


def lines(record: History) -> list[dict[str, object]]:
    return [json.loads(line) for line in record.audit.read_text().splitlines()]


def test_each_change_has_its_line_with_the_time_of_its_parts(record: History) -> None:
    with record.change("deploy", release("a"), release("b")) as change, change.part("build"):
        pass
    with record.change("down", release("b"), None):
        pass
    first, second = lines(record)
    assert (first["verb"], first["from"], first["to"]) == ("deploy", "a", "b")
    assert first["outcome"] == "done"
    assert first["seconds"] == {"build": 0.0, "total": 0.0}
    assert (second["verb"], second["from"], second["to"]) == ("down", "b", "")
    assert record.last()["verb"] == "down"


@pytest.mark.parametrize(
    ("problem", "outcome"),
    [
        (MoorError("no such table"), "failed: no such table"),
        (OSError(28, "No space left on device"), "failed: [Errno 28] No space left on device"),
        (KeyboardInterrupt(), "stopped"),
    ],
)
def test_a_change_that_fails_has_its_line_too(
    record: History, problem: BaseException, outcome: str
) -> None:
    with pytest.raises(type(problem)), record.change("deploy", None, release("b")):
        raise problem
    assert [line["outcome"] for line in lines(record)] == [outcome]


def test_a_folder_that_cannot_be_written_fails_no_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    record = History(tmp_path / "file")
    with record.change("deploy", None, release("a")):
        pass
    assert "audit.jsonl could not be written" in capsys.readouterr().err


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    record = History(tmp_path / "home", dry=True)
    with record.change("deploy", None, release("a")):
        record.served(release("a"), None)
    assert not record.home.exists()


def entry(version: str, before: str = "") -> Entry:
    return Entry(version, "", "", "", before=before)


KEPT = [entry("cc2", "bb1"), entry("bb1", "aa0"), entry("bb0", "aa0"), entry("aa0")]


def test_without_a_version_it_is_what_served_before() -> None:
    assert history.choose(KEPT, Release("cc2", ""), "").version == "bb1"
    # Not what was gone back from: a second rollback goes further back.
    assert history.choose(KEPT, Release("bb1", ""), "").version == "aa0"


def test_a_second_rollback_goes_further_back(tmp_path: Path) -> None:
    record = History(tmp_path)
    releases = [release(name) for name in "abc"]
    for old, new in zip([None, *releases], releases, strict=False):
        record.served(new, old)
    live = releases[-1]
    for wanted in "ba":
        found = history.choose(record.entries(), live, "").release
        assert found.version == wanted
        record.served(found, live, back=True)
        live = found


def test_the_beginning_of_a_version_is_enough() -> None:
    assert history.choose(KEPT, Release("cc2", ""), "aa").version == "aa0"
    assert history.choose(KEPT, None, "cc2").version == "cc2"


@pytest.mark.parametrize(
    ("live", "wanted", "says"),
    [
        ("cc2", "dd3", "no release dd3 is kept"),
        ("cc2", "bb", "2 releases begin with bb"),
        ("aa0", "", "nothing is known to have served before aa0"),
        ("", "", "nothing runs"),
    ],
)
def test_what_is_not_there_names_what_is(live: str, wanted: str, says: str) -> None:
    running = Release(live, "") if live else None
    with pytest.raises(MoorError, match=says) as caught:
        history.choose(KEPT, running, wanted)
    assert "bb1, bb0" in caught.value.hint
    assert not live or live not in caught.value.hint


def test_what_is_gone_is_named() -> None:
    with pytest.raises(MoorError, match="aa0, which served before bb0, is not kept"):
        history.choose(KEPT[:3], Release("bb0", ""), "")


def test_where_none_is_kept_it_says_so() -> None:
    with pytest.raises(NotReadyError) as caught:
        history.choose([], None, "")
    assert "no other is kept" in caught.value.hint
