"""What a load shall do: the requests, the clients, the bounds, and what a right answer is."""

import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from moorings.contract.links import beside
from moorings.contract.wire import Answer
from moorings.errors import UsageError

#: No load goes beyond: requests, seconds, clients.
MOST, LONGEST, WIDEST = 200_000, 1800.0, 1000


@dataclass(frozen=True)
class Request:
    """One request; the load adds Host, traceparent and the length of the body."""

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Group:
    """Clients that are alike, each with one connection at a time."""

    name: str
    clients: int = 8
    keep_alive: bool = True
    """Else each request has a connection of its own, and says so (`Connection: close`)."""
    rate: float = 0.0
    """Requests a second of all clients together (open loop); 0: as fast as answers come."""
    pause: float = 0.0
    """Seconds between an answer and the same client's next request, in a closed loop."""
    url: str = ""
    """Where these ask, a relay say; empty: where the plan says."""


#: Both modes at once, as the checks use them.
BOTH = (Group("keep-alive"), Group("per request", keep_alive=False))


def in_turn(*paths: str) -> Callable[[int], Request]:
    """Ask for these paths, one after another."""
    requests = [Request(path) for path in paths]
    return lambda number: requests[number % len(requests)]


home = in_turn("/")


def below_400(answer: Answer) -> str:
    """Accept every answer that is no error."""
    return "" if answer.status < 400 else f"answered {answer.status}"


def named(answer: Answer) -> str | None:
    """Return the release that an answer names in its JSON, as /version and the probe app do."""
    try:
        return str(json.loads(answer.body)["release"])
    except (ValueError, KeyError, TypeError):
        return ""


@dataclass(frozen=True)
class Plan:
    """What a load shall do."""

    url: str
    """Where: `http://` and an address of loopback."""
    ask: Callable[[int], Request] = home
    """From the number of a request, from 0, to the request."""
    groups: tuple[Group, ...] = BOTH
    requests: int = 20_000
    seconds: float = 180.0
    timeout: float = 10.0
    """Seconds for one request, its connection included."""
    verdict: Callable[[Answer], str] = below_400
    """What is wrong with an answer under 500; empty: nothing."""
    release: Callable[[Answer], str | None] = named
    """Which release made an answer; None: not to be told from this one, and not judged."""
    forward: bool = False
    """Whether a client that saw the newer release may not meet the older one again on its next
    connection either; on one connection it never may."""
    race: float = 0.1
    """Seconds after a request was written on a used connection, within which a close without a byte
    is taken for the keep-alive race. Where the server dies with short requests it looks the same:
    both are failures, only the name may be the other's."""

    def __post_init__(self) -> None:
        """Refuse what would be no bounded load on loopback.

        :raises UsageError: saying which bound is broken.
        """
        for url in (self.url, *(group.url for group in self.groups)):
            if url:
                loopback(url)
        clients = sum(group.clients for group in self.groups)
        for name, value, most in (
            ("requests", self.requests, MOST),
            ("seconds", self.seconds, LONGEST),
            ("clients", clients, WIDEST),
        ):
            if not 0 < value <= most:
                raise UsageError(f"a load of {value} {name}: should be 1 to {most:.0f}")


def loopback(url: str) -> tuple[str, int]:
    """Return host and port of a URL on this machine.

    :raises UsageError: where it is another's.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not _local(parts):
        raise UsageError(
            f"{url} is not on this machine: load goes to http on loopback only",
            hint="use the address that the deployment has here, as http://127.0.0.1:8000",
        )
    return (parts.hostname or "").replace("localhost", "127.0.0.1"), parts.port or 80


def _local(parts: SplitResult) -> bool:
    try:
        host = parts.hostname or ""
        return ipaddress.ip_address(host).is_loopback or beside(host)
    except ValueError:
        return parts.hostname == "localhost"
