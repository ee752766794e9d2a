"""The clients of a load: plain ones, that never try a request twice."""

import asyncio
import contextlib
import errno
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import h11

from moorings.contract.load_plan import Group, Plan, Request, loopback
from moorings.contract.load_releases import Place, Succession
from moorings.contract.load_report import Ended, Record
from moorings.contract.load_wire import Channel, Failed, Kind
from moorings.contract.wire import Answer
from moorings.errors import MoorError

#: Seconds after a refusal until the same client tries again: a server that is down shall not cost
#: a core and all requests of the load.
BACKOFF = 0.02

#: The machine's own limits, not the server's.
OURS = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS)


@dataclass
class Shared:
    """What all clients of a load have in common."""

    plan: Plan
    succession: Succession
    over: asyncio.Event
    zero: float
    """The loop's time at which the load began."""
    records: list[Record] = field(default_factory=list)
    taken: int = 0
    """Requests that have been given to a client."""
    quiet_closes: int = 0
    connections: int = 0
    ended: Ended | None = None

    def end(self, why: Ended) -> None:
        """Send no more; what is under way is answered or fails."""
        self.ended = self.ended or why
        self.over.set()

    def take(self) -> int | None:
        """Return the number of the next request; None when the load is over."""
        if self.taken >= self.plan.requests:
            self.end("requests")
        if self.ended:
            return None
        self.taken += 1
        return self.taken - 1

    async def wait(self, seconds: float) -> None:
        """Wait, but not longer than the load lasts."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.over.wait()


class Client:
    """One of a group."""

    def __init__(self, shared: Shared, group: Group, turns: Iterator[int]) -> None:
        """Begin without a connection.

        :param turns: the numbers of the group's turns, for an open loop.
        """
        self._shared = shared
        self._plan: Plan = shared.plan
        self._group = group
        self._turns = turns
        self._loop = asyncio.get_running_loop()
        url = group.url or shared.plan.url
        self._host, self._address = urlsplit(url).netloc, loopback(url)
        self._channel: Channel | None = None
        self._place = Place()
        self._written = 0.0

    async def run(self) -> None:
        """Ask until the load is over."""
        try:
            due = await self._turn()
            while (number := self._shared.take()) is not None:
                record = await self._one(self._plan.ask(number), due)
                self._shared.records.append(record)
                await self._shared.wait(self._rest(record))
                due = await self._turn()
        finally:
            self._drop()

    async def _turn(self) -> float:
        """Wait until the next request is due; return that time."""
        if not self._group.rate:
            return self._loop.time()
        due = self._shared.zero + next(self._turns) / self._group.rate
        await self._shared.wait(due - self._loop.time())
        return due

    def _rest(self, record: Record) -> float:
        return max(self._group.pause, BACKOFF if record.kind is Kind.REFUSED else 0.0)

    async def _one(self, request: Request, due: float) -> Record:
        """Send one request, and note what came of it."""
        trace_id, floor = secrets.token_hex(16), self._shared.succession.floor
        status, came = 0, ""
        kind: Kind | None = None
        release: str | None = None
        try:
            answer = await self._answer(request, trace_id)
            status, release = answer.status, self._plan.release(answer)
            kind, came = self._judge(answer, release, floor)
        except Failed as failed:
            kind, came = failed.kind, failed.came
        return Record(
            group=self._group.name,
            what=f"{request.method} {request.path}",
            trace_id=trace_id,
            began=due - self._shared.zero,
            seconds=self._loop.time() - due,
            status=status,
            release=release or "",
            kind=kind,
            came=came,
        )

    async def _answer(self, request: Request, trace_id: str) -> Answer:
        """Return the whole answer; without one the connection is dropped.

        :raises Failed: naming what went wrong.
        """
        written = self._loop.time()
        try:
            async with asyncio.timeout(self._plan.timeout):
                channel = await self._connected()
                written = self._loop.time()
                answer = await channel.ask(self._head(request, trace_id), request.body)
        except (TimeoutError, Failed) as problem:
            raise self._named(problem, self._loop.time() - written) from None
        if channel.announced:
            self._drop()
        return answer

    async def _connected(self) -> Channel:
        """Return the connection if it can be used again, else a new one.

        :raises Failed: where none can be had.
        """
        if self._channel is not None:
            if not self._channel.closed:
                return self._channel
            self._shared.quiet_closes += 1
            self._drop()
        try:
            _, self._channel = await self._loop.create_connection(Channel, *self._address)
        except OSError as problem:
            raise _unconnected(problem) from None
        self._shared.connections += 1
        self._place = self._place if self._plan.forward else Place()
        return self._channel

    def _drop(self) -> None:
        if self._channel is not None:
            self._channel.close()
        self._channel = None

    def _head(self, request: Request, trace_id: str) -> h11.Request:
        headers = {
            "Host": self._host,
            "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
            **({} if self._group.keep_alive else {"Connection": "close"}),
            **({"Content-Length": str(len(request.body))} if request.body else {}),
            **request.headers,
        }
        return h11.Request(
            method=request.method, target=request.path, headers=list(headers.items())
        )

    def _named(self, problem: TimeoutError | Failed, after: float) -> Failed:
        """Name a failure with what the connection has seen, and drop that."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.abort()
        if isinstance(problem, TimeoutError):
            return Failed(Kind.LATE, f"came: {channel.came() if channel else 'no connection'}")
        raced = problem.kind is Kind.RESET and channel is not None and channel.answered > 0
        return Failed(Kind.RACE, problem.came) if raced and after <= self._plan.race else problem

    def _judge(self, answer: Answer, release: str | None, floor: int) -> tuple[Kind | None, str]:
        """Return what is wrong with a whole answer, and the words for it."""
        begins = f"; its body: {answer.body[:80]!r}"
        if answer.status >= 500:
            return Kind.STATUS, f"answered {answer.status}{begins}"
        succession = self._shared.succession
        if release is not None and (wrong := succession.judge(release, floor, self._place)):
            return Kind.RELEASE, wrong
        if wrong := self._plan.verdict(answer):
            return Kind.BODY, wrong + begins
        return None, ""


def _unconnected(problem: OSError) -> Failed:
    """Name why there is no connection.

    :raises MoorError: where it is this machine that has no more of them to give.
    """
    if problem.errno in OURS:
        raise MoorError(
            f"the load itself has run out of connections: {problem}",
            hint="ask for fewer clients, or keep connections alive",
        )
    refused = isinstance(problem, ConnectionRefusedError)
    return Failed(Kind.REFUSED if refused else Kind.RESET, f"while connecting: {problem}")
