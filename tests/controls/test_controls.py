"""Each control: a bad deployment that the checks must catch."""

import os

import pytest

from moorings.contract import controls
from moorings.contract.outcome import Skipped


@pytest.mark.parametrize("name", controls.CONTROLS)
def test_control(name: str, request: pytest.FixtureRequest) -> None:
    """It reddens exactly what it declares."""
    if controls.CONTROLS[name].target == "docker":
        request.getfixturevalue("docker")
    try:
        found = controls.verdicts(name)
    except Skipped as missing:
        if os.environ.get("CI"):
            pytest.fail(missing.fact)
        pytest.skip(missing.fact)
    missed = controls.missed(name, found)
    assert not missed, "\n".join(missed)
