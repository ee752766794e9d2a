"""One column of the grid: what a check may ask, and of whom."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from moorings.contract.outcome import Limit
from moorings.contract.site import Site, Yard
from moorings.contract.size import Size
from moorings.deployment import Deployment
from moorings.errors import MoorError
from moorings.service import is_sample
from moorings.services.jaeger import Jaeger
from moorings.settings import Settings
from moorings.target import Clustered, Contained, Keeps, Release, Renews, Target
from moorings.tracing import Traces


@dataclass
class Column:
    """What is checked: here, something of which only the address is known.

    A check's needs guard what is asked of it: what `has` does not name is not there.
    """

    name: str
    target_name: str = ""
    size: Size = Size.CI
    has: frozenset[str] = frozenset()
    limits: Mapping[str, Limit] = field(default_factory=dict)
    address: str = ""
    jaeger: str = ""
    patience: float = 10.0
    """Seconds within which a span must be in Jaeger."""

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return self.address

    @property
    def inner(self) -> str:
        """Where operators ask: a gateway keeps readiness and metrics from clients."""
        return self.url

    @property
    def release(self) -> Release | None:
        """What was deployed, as far as it is known."""
        return None

    @property
    def traces(self) -> Traces:
        """Its Jaeger."""
        return Traces(self.jaeger)

    @property
    def target(self) -> Target:
        """Its target, for a look at processes and log lines."""
        raise NotImplementedError

    @property
    def settings(self) -> Settings:
        """The settings that it was deployed by."""
        raise NotImplementedError

    @property
    def site(self) -> Site:
        """The deployment that the checks share; a check leaves it as it found it."""
        raise NotImplementedError

    def other(
        self, flags: Mapping[str, object] | None = None, env: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Site]:
        """Lend a deployment of the check's own, with these settings.

        :param env: over the operator's own environment.
        """
        raise NotImplementedError

    @property
    def collector(self) -> Jaeger:
        """The Jaeger that was started for the checks."""
        raise NotImplementedError

    def limit(self, check: str) -> Limit | None:
        """Return the known limit that the target declares for a check, where it holds here."""
        limit = self.limits.get(check)
        holds = limit is not None and (not limit.columns or self.name in limit.columns)
        return limit if holds else None

    def evidence(self) -> str:
        """Return the newest log lines of every part, for a failure."""
        return ""

    def close(self) -> None:
        """Take away what was made for it."""


@dataclass
class Live(Column):
    """A deployment in use: looked at, and never changed."""

    deployment: Deployment | None = None

    def __post_init__(self) -> None:
        """Look what it has."""
        deployment = self._deployment
        self.has = frozenset({"runtime", "process"})
        self.has |= {"store"} if is_sample(deployment.settings) else set()
        self.jaeger = deployment.jaeger.query_url
        self.has |= {"traces"} if self.jaeger else set()
        self.has |= _surroundings(deployment.target)

    @property
    def _deployment(self) -> Deployment:
        assert self.deployment is not None
        return self.deployment

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return self.target.endpoints().app

    @property
    def inner(self) -> str:
        """Where operators ask."""
        return self.target.endpoints().operators

    @property
    def release(self) -> Release | None:
        """What runs."""
        return self.target.live()

    @property
    def target(self) -> Target:
        """Its target."""
        return self._deployment.target

    @property
    def settings(self) -> Settings:
        """Those that it would be deployed by now."""
        return self._deployment.settings

    def evidence(self) -> str:
        """Return the app's newest log lines."""
        return f"app:\n{self.target.logs(15)}"


@dataclass
class Own(Column):
    """A deployment made for the checks, with the probe app, a Jaeger and neighbours."""

    yard: Yard | None = None
    broken: MoorError | None = None

    def __post_init__(self) -> None:
        """Say what it will have; nothing is started before the first check asks."""
        self._shared: Site | None = None
        self.has = frozenset({"runtime", "probe", "process", "deploy", "traces"})
        self.has |= {"store"} if is_sample(self._yard.plain.settings) else set()
        target = self._yard.plain.target
        self.has |= _surroundings(target)
        self.has |= {"database"} if isinstance(target, Keeps) else set()
        # A cluster takes in another gateway by a rollout, which costs clients nothing.
        parts = isinstance(target, Renews) and isinstance(target, Contained)
        self.has |= {"parts"} if parts else set()

    @property
    def _yard(self) -> Yard:
        assert self.yard is not None
        return self.yard

    @property
    def site(self) -> Site:
        """The shared deployment, made at first use; a failure to make it is said to each check.

        :raises MoorError: as the deploy did.
        """
        if self.broken is not None:
            raise self.broken
        if self._shared is None:
            try:
                self._shared = self._yard.shared()
            except MoorError as problem:
                self.broken = problem
                raise
        return self._shared

    @property
    def url(self) -> str:
        """Where clients reach the shared one."""
        return self.site.url

    @property
    def inner(self) -> str:
        """Where operators ask the shared one."""
        return self.site.inner

    @property
    def release(self) -> Release | None:
        """What was deployed; the working tree until then."""
        deployed = self._shared.release if self._shared is not None else None
        return deployed or self._yard.plain.target.version()

    @property
    def traces(self) -> Traces:
        """The Jaeger that all sites of the yard send to."""
        return Traces(self._yard.jaeger().query_url)

    @property
    def target(self) -> Target:
        """The target of the shared one."""
        return self.site.target

    @property
    def settings(self) -> Settings:
        """Those of the shared one."""
        return self.site.deployment.settings

    def other(
        self, flags: Mapping[str, object] | None = None, env: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Site]:
        """Lend a deployed neighbour, which is taken away after the block."""
        return self._yard.brief(flags or {}, env)

    @property
    def collector(self) -> Jaeger:
        """The Jaeger that all sites of the yard send to."""
        return self._yard.jaeger()

    def evidence(self) -> str:
        """Return the newest log lines of the app and of Jaeger."""
        return self._yard.evidence()

    def close(self) -> None:
        """Take away all that was made."""
        self._yard.close()


def _surroundings(target: Target) -> set[str]:
    """Return in what its processes run, by the words for a check's needs."""
    if isinstance(target, Clustered):
        return {"containers", "pods"}
    return {"containers", "engine"} if isinstance(target, Contained) else {"loopback"}
