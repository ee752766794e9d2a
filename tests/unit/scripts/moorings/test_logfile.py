"""Log lines as a person reads them, and the first thing that went wrong in them."""

import json
from pathlib import Path

from moorings import logfile


def line(level: str, message: str, **more: str) -> str:
    return json.dumps(
        {"time": "2026-11-22T16:04:56.815Z", "level": level, "message": message, **more}
    )


def test_the_tail_of_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert logfile.tail(tmp_path / "none", 5) == ""


def test_the_tail_is_the_newest_lines(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"x" * (logfile.WINDOW + 7) + b"\none\ntwo \xff\nthree\n")
    assert logfile.tail(file, 2) == "two �\nthree"


def test_a_json_line_becomes_readable_with_its_traceback() -> None:
    text = line("error", "it broke", exception="Traceback:\n  here\n") + "\nplain {"
    assert logfile.readable(text) == "16:04:56 error   it broke\nTraceback:\n  here\nplain {"


def test_the_cause_is_the_first_error() -> None:
    lines = [line("info", "booting"), line("error", "no module named 'shop'\nmore"), "{broken"]
    assert logfile.cause("\n".join([*lines, line("critical", "worker died")])) == (
        "no module named 'shop'"
    )


def test_what_the_runtime_says_before_its_log_is_set_up_counts() -> None:
    text = "moorings: APP: no module named 'shop'\n" + line("error", "worker died")
    assert logfile.cause(text) == "APP: no module named 'shop'"


def test_what_the_runtime_says_is_preferred_to_the_line_with_the_traceback() -> None:
    text = line("error", "APP: importing 'shop' failed") + "\nmoorings: APP: no module 'cart'"
    assert logfile.cause(text) == "APP: no module 'cart'"


def test_where_nothing_says_error_there_is_no_cause() -> None:
    assert logfile.cause(line("info", "fine") + "\n[1, 2]\nTraceback") == ""


def test_what_a_server_wrote_past_its_log_can_be_left_out() -> None:
    kept = [line("error", "worker died"), "moorings: APP: wrong"]
    text = "\n".join(["Traceback (most recent call last):", kept[0], "  File x", kept[1]])
    assert logfile.ours(text).splitlines() == kept
