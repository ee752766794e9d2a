"""What a control does to a deployment to make it bad."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from moorings.runner import LocalRunner, User

Front = Callable[[str], AbstractContextManager[str]]


@dataclass(frozen=True)
class Tamper:
    """What a control does to each deployment of its column, so that a check must catch it."""

    flags: Mapping[str, object] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    """Over the operator's own environment."""
    as_root: bool = False
    proved: bool = True
    """Whether a release is proved before clients reach it."""
    restarts: bool = False
    """Whether each deploy goes through `down`."""
    front: Front | None = None
    """A gateway before the app: from the app's URL to its own."""


HEALTHY = Tamper()


class TamperedRunner(LocalRunner):
    """Starts servers by the rights that a control wants them to have."""

    def __init__(self, tamper: Tamper) -> None:
        """Keep what is to be changed."""
        self.tamper = tamper

    def start(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        log: Path,
        user: User | None = None,
        fds: tuple[int, ...] = (),
    ) -> int:
        """Start it as the control's user."""
        rights = None if self.tamper.as_root else user
        return super().start(argv, cwd=cwd, env=env, log=log, user=rights, fds=fds)
