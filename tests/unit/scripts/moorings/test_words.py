"""The nearest word is named where there is one, and only there."""

from moorings import words


def test_the_nearest_word_is_named() -> None:
    assert words.meant("stauts", ["logs", "status"]) == "; did you mean status?"


def test_where_nothing_is_near_nothing_is_said() -> None:
    assert words.meant("stauts", ["logs"]) == ""
