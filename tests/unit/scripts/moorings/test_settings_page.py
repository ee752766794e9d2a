"""The page of settings is what the code says."""

from pathlib import Path

from moorings import settings_page

PAGE = Path(__file__).parents[4] / "docs" / "settings.md"


def test_the_page_is_made_from_the_code() -> None:
    assert PAGE.read_text() == settings_page.page(), "run `make docs`"
