"""What a control does to a deployment to make it bad."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from moorings.target import Target

Front = Callable[[str], AbstractContextManager[str]]


@dataclass(frozen=True)
class Tamper:
    """What a control does to each deployment of its column, so that a check must catch it."""

    flags: Mapping[str, object] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    """Over the operator's own environment."""
    as_root: bool = False
    """Whether root runs the app by its own rights."""
    proved: bool = True
    """Whether a release is proved before clients reach it."""
    restarts: bool = False
    """Whether each deploy goes through `down`."""
    front: Front | None = None
    """A gateway before the app: from the app's URL to its own."""
    target: Callable[[Target], Target] | None = None
    """What changes how the target does its work."""


HEALTHY = Tamper()
