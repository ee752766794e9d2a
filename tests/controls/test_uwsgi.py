"""The controls that only uWSGI can express; the others are made on Gunicorn."""

import pytest

from moorings.contract import controls

NAMES = [name for name, about in controls.CONTROLS.items() if about.target == "uwsgi"]


@pytest.mark.parametrize("name", NAMES)
def test_control(name: str) -> None:
    """It reddens exactly what it declares."""
    missed = controls.missed(name, controls.verdicts(name, "uwsgi"))
    assert not missed, "\n".join(missed)
