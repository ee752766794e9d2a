"""What every test of a control does."""

import os

import pytest

from moorings.contract import controls
from moorings.contract.outcome import Skipped

ALL = os.environ.get("CONTROLS") == "all"


def names(*, on_a_cluster: bool) -> list[str]:
    """Return the controls that are to be made, on a cluster or elsewhere."""
    made = {name: one for name, one in controls.CONTROLS.items() if ALL or not one.slow}
    return [name for name, one in made.items() if (one.target == "k8s") is on_a_cluster]


def reddens(name: str) -> None:
    """See that a control reddens exactly what it declares."""
    try:
        found = controls.verdicts(name)
    except Skipped as missing:
        if os.environ.get("CI"):
            pytest.fail(missing.fact)
        pytest.skip(missing.fact)
    missed = controls.missed(name, found)
    assert not missed, "\n".join(missed)
