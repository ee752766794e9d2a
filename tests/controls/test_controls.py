"""Each control: a bad deployment that the checks must catch."""

import os

import pytest

from moorings.contract import controls
from moorings.contract.outcome import Skipped

#: What the machine must have for those of a target.
GIVEN = {"docker": "docker", "k8s": "kubernetes"}


ALL = os.environ.get("CONTROLS") == "all"
NAMES = [name for name, control in controls.CONTROLS.items() if ALL or not control.slow]


@pytest.mark.parametrize("name", NAMES)
def test_control(name: str, request: pytest.FixtureRequest) -> None:
    """It reddens exactly what it declares."""
    if controls.CONTROLS[name].target in GIVEN:
        request.getfixturevalue(GIVEN[controls.CONTROLS[name].target])
    try:
        found = controls.verdicts(name)
    except Skipped as missing:
        if os.environ.get("CI"):
            pytest.fail(missing.fact)
        pytest.skip(missing.fact)
    missed = controls.missed(name, found)
    assert not missed, "\n".join(missed)
