"""The controls that need a cluster: apart, for the part of the tests that has started one."""

import pytest
from tests.controls.conftest import names, reddens

pytestmark = pytest.mark.usefixtures("kubernetes")


@pytest.mark.parametrize("name", names(on_a_cluster=True))
def test_control(name: str) -> None:
    """It reddens exactly what it declares."""
    reddens(name)
