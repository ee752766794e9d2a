"""The checks by their ids: what each proves, what it needs, and what must turn it red."""

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moorings import words
from moorings.contract import checks
from moorings.errors import UsageError

if TYPE_CHECKING:
    from moorings.contract.column import Column

Run = Callable[["Column"], str]

#: What a check may need, in the words of the report where a column cannot have it.
NEEDS: Mapping[str, str] = {
    "runtime": "the runtime's routes /readyz and /version",
    "store": "the sample store as the app",
    "probe": "the probe app, which a deployment of the check's own has",
    "process": "the target's processes and log lines on this machine",
    "containers": "a target whose processes run in containers",
    "engine": "a target whose containers an engine on this machine shows",
    "pods": "a target whose app runs in several pods",
    "database": "a database that the target brings",
    "parts": "parts beside the app that outlive a deploy, and may have to be made anew",
    "loopback": "a target whose processes are in the network of this machine",
    "deploy": "a deployment of its own, which it may stop (./moor check TARGET)",
    "traces": "a Jaeger to ask (--jaeger URL)",
}


@dataclass(frozen=True)
class Check:
    """One claim about a deployment, and the function that tries to refute it."""

    id: str
    proves: str
    run: Run
    needs: frozenset[str] = frozenset()
    control: str = ""
    """Name of the bad configuration that it must catch."""
    no_control: str = ""
    """Why there is none, where there is none."""
    quick: bool = False
    """Needs neither load nor a restart: asked of a deployment in use."""

    def __str__(self) -> str:
        return self.id


_known: dict[str, Check] = {}


def check(
    id: str,
    *,
    proves: str,
    needs: Iterable[str] = (),
    control: str = "",
    no_control: str = "",
    quick: bool = False,
) -> Callable[[Run], Run]:
    """Register a function as a check; it returns its figure, or raises `CheckFailed`."""

    def register(run: Run) -> Run:
        if id in _known:
            raise ValueError(f"two checks are called {id}")
        if unknown := set(needs) - set(NEEDS):
            raise ValueError(f"{id} needs {', '.join(unknown)}, which no column can have")
        _known[id] = Check(id, proves, run, frozenset(needs), control, no_control, quick)
        return run

    return register


def load() -> list[Check]:
    """Return every check, in the order of their groups."""
    for group in checks.GROUPS:
        importlib.import_module(f"{checks.__name__}.{group}")
    return sorted(_known.values(), key=lambda item: checks.GROUPS.index(_group(item)))


def _group(item: Check) -> str:
    return item.run.__module__.rpartition(".")[2]


def choose(known: Sequence[Check], only: Sequence[str] = (), quick: bool = False) -> list[Check]:
    """Return the checks that were asked for.

    :param only: ids, or the names of groups as in `serve`; none: all.
    :raises UsageError: naming the nearest id of one that does not exist, or one that is not quick.
    """
    ids = [item.id for item in known]
    groups = dict.fromkeys(map(_stem, ids))
    for wanted in only:
        if wanted not in (*ids, *groups):
            meant = words.meant(wanted, ids)
            hint = f"groups: {', '.join(groups)}; checks: {', '.join(ids)}"
            raise UsageError(f"no check {wanted!r}{meant}", hint=hint)
    chosen = [item for item in known if not only or {item.id, _stem(item.id)} & {*only}]
    slow = [item.id for item in chosen if not item.quick]
    if only and quick and slow:
        why = f"{', '.join(slow)} needs load or a restart, so it is not part of --quick"
        raise UsageError(why, hint="leave --quick out: the check makes a deployment of its own")
    return [item for item in chosen if item.quick or not quick]


def _stem(id: str) -> str:
    return id.partition(".")[0]
