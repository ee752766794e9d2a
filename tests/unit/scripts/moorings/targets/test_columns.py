"""The columns of the grid: each is what its target calls itself with the column's settings."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from moorings import deployment, targets
from moorings.runner import DryRunner

ROOT = Path(__file__).resolve().parents[5]


@pytest.mark.parametrize(("name", "made_by"), targets.columns().items(), ids=targets.columns())
def test_the_settings_make_the_column(
    name: str, made_by: tuple[str, Mapping[str, object]], tmp_path: Path
) -> None:
    target, flags = made_by
    flags = {**flags, "deployment.state": str(tmp_path)}
    made = deployment.open(ROOT, {}, flags, target, DryRunner(), looks_only=True)
    assert made.target.column == name


def test_every_target_has_a_column() -> None:
    assert {target for target, _ in targets.columns().values()} == set(targets.names())
