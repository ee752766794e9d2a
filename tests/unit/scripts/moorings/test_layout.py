"""A deployment's folder is its own, whatever it is called and wherever the checkout lies."""

import re
from pathlib import Path

import pytest

from moorings import layout, settings
from moorings.errors import SettingsError
from moorings.layout import Layout


def place(root: Path, **given: str) -> Layout:
    flags = {f"deployment.{name}": value for name, value in given.items()}
    return layout.of(settings.load(root, {}, {"deployment.state": "/state", **flags}, {}))


@pytest.mark.parametrize(
    "name", ["../other", "a/b", ".", "..", "bin", "environments", "-a", "A", "é", "a\n", "a" * 64]
)
def test_a_name_that_could_mean_another_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"^deployment\.name: should be "):
        place(tmp_path, name=name)


@pytest.mark.parametrize("name", ["a", "shop-2", "a" * 63])
def test_a_plain_name_is_taken(tmp_path: Path, name: str) -> None:
    assert place(tmp_path, name=name).home == Path("/state") / name


@pytest.mark.parametrize("folder", ["Shop 2", "läden", "--", "日本", "a" * 200, "a.b_c", "\udcff"])
def test_the_name_of_any_checkout_fits(folder: str) -> None:
    name = place(Path("/somewhere") / folder).name
    assert re.fullmatch("[a-z0-9][a-z0-9-]{0,39}", name)
    assert place(Path("/elsewhere") / folder).name != name
