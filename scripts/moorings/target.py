"""What a target must be able to do: primitives, and no policy. `lifecycle` has the policy."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from moorings.layout import Layout
from moorings.runner import Runner, User
from moorings.settings import Settings

if TYPE_CHECKING:
    from moorings.services.cluster import Cluster
    from moorings.services.kube_fleet import Fleet

#: The configuration of a release that serves on while nothing would start it again.
UNWATCHED = "unwatched"


@dataclass(frozen=True)
class Need:
    """A tool, package or right that a target wants; `how` is the line that gets it."""

    what: str
    there: bool
    how: str
    packages: tuple[str, ...] = ()
    """Debian's, that have it; moor may install them."""
    remedy: Callable[[], None] | None = field(default=None, compare=False)
    """What does more than install them, where that is not enough."""
    offer: str = ""
    """What that is, as the question says it."""


@dataclass(frozen=True)
class Release:
    """One version of the app, and a hash that tells its configurations apart.

    Two are equal where version and configuration are; the environment itself, which may
    hold secrets, is neither compared nor shown nor stored.
    """

    version: str
    commit: str
    settings: str = ""
    env: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def running_in(self, env: Mapping[str, str]) -> "Release":
        """Return this release with the environment that it is to run in."""
        text = "\0".join(f"{name}={value}" for name, value in sorted(env.items()))
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        return replace(self, settings=digest, env=dict(env))

    @property
    def label(self) -> str:
        """It as a label of what serves it."""
        return f"{self.version} {self.commit or '-'} {self.settings}"

    @classmethod
    def of_label(cls, text: str) -> "Release | None":
        """Return the release that a label names; None where it is empty."""
        version, _, rest = text.partition(" ")
        commit, _, settings = rest.partition(" ")
        return cls(version, "" if commit == "-" else commit, settings) if text else None


@dataclass(frozen=True)
class Instance:
    """A process, container or pod that serves, or helps to."""

    id: str
    role: str
    user: str
    version: str
    memory: int = 0
    """Resident bytes."""
    listens: tuple[str, ...] = ()
    own_id: str = ""
    """A process as it knows itself, `host/pid`; empty: as this host knows it."""


@dataclass(frozen=True)
class Endpoints:
    """Where a deployment answers; an empty one does not exist."""

    app: str
    inner: str = ""
    """Where operators reach what clients do not: readiness, metrics; empty: there as well."""

    closed: bool = False
    """Whether clients are told that the app is under maintenance."""

    each: Callable[[], tuple[str, ...]] | None = field(default=None, compare=False)
    """Tells where each of several apps answers by itself, where no address speaks for them all."""

    @property
    def operators(self) -> str:
        """Where to ask for readiness and metrics."""
        return self.inner or self.app

    @property
    def meters(self) -> tuple[str, ...]:
        """Where to ask for metrics: the sum over all is the deployment's."""
        return self.each() if self.each is not None else (self.operators,)


@dataclass(frozen=True)
class Context:
    """What a target works with; nothing else is read."""

    settings: Settings
    runner: Runner
    layout: Layout
    user: User | None
    looks_only: bool = False
    """Whether nothing is to be changed, on this machine or in an engine."""


class Target(Protocol):
    """A way to run the app."""

    name: str

    @property
    def proved_serves(self) -> bool:
        """Whether what was proved is itself what serves, and not another of the same release."""

    @property
    def mixes(self) -> bool:
        """Whether the old release and the new one both answer while a switch goes on."""

    @property
    def longest_stop(self) -> float:
        """Seconds that a stop takes at most where a request hangs: one grace period, or more
        where its parts go one after another and announce it."""

    @property
    def column(self) -> str:
        """The column of the conformance grid, which is also SERVER of the service."""

    @property
    def hops(self) -> int:
        """How many proxies of its own are between clients and the app."""

    def needs(self) -> list[Need]:
        """Tools, packages and rights, and how to get each."""

    def version(self) -> Release:
        """The release that the working tree is now, without its environment."""

    def build(self, release: Release) -> None:
        """Make the artefact; start nothing."""

    def built(self) -> set[str]:
        """The versions whose artefact is here, so that they can be started without a build."""

    def remove(self, version: str) -> None:
        """Remove the artefact of a release that does not run. Fine when there is none."""

    def migrate(self, release: Release, command: str) -> None:
        """Run the app's migrations in the built release, to their end."""

    def accepts(self, release: Release) -> None:
        """See that a built release can run on the data as they are; its last line says why not."""

    def start(self, release: Release) -> None:
        """Start it beside the live one, not yet reachable by clients."""

    def prove_url(self, release: Release) -> str:
        """Where to ask the started one."""

    def alive(self, release: Release) -> bool:
        """Tell whether the started one still runs."""

    def switch(self, release: Release) -> None:
        """Make clients reach this one."""

    def retire(self, release: Release) -> None:
        """Announce the drain, drain, stop; the artefact stays. Fine when nothing of it runs."""

    def live(self) -> Release | None:
        """The release that clients reach, as far as it really runs."""

    def reload(self, release: Release) -> None:
        """Take new settings into the live release: checked first, no request lost."""

    def instances(self) -> list[Instance]:
        """What runs: the checks look at it."""

    def strays(self) -> list[str]:
        """What of it runs though its state is gone, by the ids that the machine knows."""

    def data(self) -> list[str]:
        """What `down` keeps unless told otherwise, by name."""

    def logs(self, lines: int = 100, release: Release | None = None) -> str:
        """The newest log lines of the live app, or of a release that was started beside it."""

    def down(self, volumes: bool = False) -> None:
        """Drain and remove all of it. Fine when nothing is up."""

    def endpoints(self) -> Endpoints:
        """Where clients reach it."""

    def maintain(self, on: bool) -> None:
        """Answer clients that the app is under maintenance, or no longer; what runs runs on."""


@runtime_checkable
class Contained(Protocol):
    """What a target whose processes run in containers shows of them beside the processes."""

    def published(self) -> Sequence[tuple[str, str]]:
        """What is reached from outside of them: the part, and `host:port`."""

    def secrets(self) -> Mapping[str, str]:
        """The secrets that it has made or was given, by name."""

    def told(self) -> Iterator[tuple[str, bytes]]:
        """What anybody reads who may ask the engine, by its place: settings, history, layers."""


@runtime_checkable
class Stores(Protocol):
    """A target whose containers have places for data that outlive them."""

    def kept(self) -> set[str]:
        """Where a container has a volume, or the folder that the settings name for data."""


@runtime_checkable
class Clustered(Protocol):
    """A target whose app runs in several pods, which come and go."""

    def fleet(self) -> "Fleet":
        """The pods, and what may be done to them."""

    def throwaway(self) -> "Cluster | None":
        """The cluster, where it is one of moor's own, on this machine; None: it is another's."""


class Database(Protocol):
    """The app's database, past the app."""

    def rows(self, query: str) -> list[list[str]]:
        """What a query finds, by the right to read and write rows alone."""

    def process(self) -> int:
        """The process with which it ends, by its number on this host; 0: it does not run."""

    def restart(self) -> None:
        """Stop it in order, start it again, and wait until it answers."""


@runtime_checkable
class Keeps(Protocol):
    """What a target that brings the app's database shows of it, past the app."""

    def database(self) -> "Database":
        """The database."""

    def data_in(self, folder: Path) -> Mapping[str, object] | None:
        """The settings by which it has its data in a folder of this machine, empty at first;
        None where it can not."""


@runtime_checkable
class Hosted(Protocol):
    """What a target shows of what keeps its processes, an engine or a kubelet, past the app."""

    def engine_in_use(self) -> str:
        """Who else would notice its restart, as a reason to leave it alone; empty: nobody."""

    def restart_engine(self) -> None:
        """Restart it as a machine's restart does, and wait until it answers."""


@runtime_checkable
class Renews(Protocol):
    """What a target has whose parts beside the app outlive a deploy."""

    def interrupts(self) -> Sequence[str]:
        """Which of them are no longer as they should be, and cost clients a moment to renew."""

    def renew(self) -> None:
        """Renew what is not as it should be. Fine where all is."""


@runtime_checkable
class Leans(Protocol):
    """What a target has that starts parts beside the app, which a failed deploy leaves there."""

    def beside(self) -> Sequence[str]:
        """Those that run, or are started again and again, by name."""


@runtime_checkable
class Outlived(Protocol):
    """What a target has whose old release may come back while another one takes over from none."""

    def outlived(self) -> Release | None:
        """After a switch, what is still there beside the live release; None: nothing."""


@runtime_checkable
class Spares(Protocol):
    """A target whose data may be where `down --volumes` leaves them."""

    def spared(self) -> Path | None:
        """The folder without which those are of no use; None where all goes."""


@runtime_checkable
class Shared(Protocol):
    """A target that other machines may change too."""

    def held(self, doing: str) -> AbstractContextManager[None]:
        """Keep the others from changing it for the length of a block."""
