"""Each control: a bad deployment that the checks must catch."""

import pytest
from tests.controls.conftest import names, reddens

from moorings.contract import controls

#: What the machine must have for those of a target.
GIVEN = {"docker": "docker"}


@pytest.mark.parametrize("name", names(on_a_cluster=False))
def test_control(name: str, request: pytest.FixtureRequest) -> None:
    """It reddens exactly what it declares."""
    if controls.CONTROLS[name].target in GIVEN:
        request.getfixturevalue(GIVEN[controls.CONTROLS[name].target])
    reddens(name)
