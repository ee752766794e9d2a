"""The pages of docs/ that are made from the code are what the code says."""

import pytest

from moorings import pages


@pytest.mark.parametrize("name", pages.PAGES)
def test_the_page_is_made_from_the_code(name: str) -> None:
    assert (pages.DOCS / name).read_text() == pages.PAGES[name](), "run `make docs`"
