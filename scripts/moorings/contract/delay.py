"""Distance on demand: a relay on loopback that carries every byte later, and each end as it was.

With a longer way the moment grows in which a client writes on a connection that the server has
just closed: what is rare on loopback shows (compare netem's `delay`, which needs rights).
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from moorings.contract.load_plan import loopback
from moorings.errors import MoorError

#: Seconds that are added to each round trip.
ROUND_TRIP = 0.04

#: Pieces under way in one direction of one connection; beyond, the sender has to wait.
UNDER_WAY = 64

#: Seconds that the relay may take to begin and to end.
SLACK = 10.0

#: What is carried, and when it is due; no bytes: a clean end; None: a reset.
Pieces = asyncio.Queue[tuple[float, bytes | None]]


class Relay:
    """Accepts for a server, and connects to it for each client."""

    def __init__(self, url: str, round_trip: float) -> None:
        """Take where to carry to, and how late.

        :raises UsageError: where that is not on this machine.
        """
        self._to = loopback(url)
        self._late = round_trip / 2
        self._ways: set[asyncio.Task[None]] = set()
        self._begun: Future[str] = Future()

    def start(self) -> str:
        """Begin, in a thread of its own; return the URL to use instead of the server's."""
        self._thread = threading.Thread(target=asyncio.run, args=(self._main(),), name="delay")
        self._thread.daemon = True
        self._thread.start()
        return self._begun.result(SLACK)

    def stop(self) -> None:
        """Cut what is still open, and end."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(SLACK)
        if self._thread.is_alive():
            raise MoorError("the relay did not end")

    async def _main(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            listener.setblocking(False)
            self._begun.set_result(f"http://127.0.0.1:{listener.getsockname()[1]}")
            accepting = asyncio.create_task(self._accept(listener))
            await self._over.wait()
            ways = [accepting, *self._ways]
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = await self._loop.sock_accept(listener)
            way = asyncio.create_task(self._carry(client))
            self._ways.add(way)
            way.add_done_callback(self._ways.discard)

    async def _carry(self, client: socket.socket) -> None:
        """Carry both ways until both have ended, or one was reset."""
        with client, socket.socket(_family(self._to[0])) as server:
            for end in (client, server):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                await self._loop.sock_connect(server, self._to)
                async with asyncio.TaskGroup() as ways:
                    self._way(ways, client, server)
                    self._way(ways, server, client)
            except* OSError:
                # Closing both resets both: a connection that is reset is so in both directions.
                for end in (client, server):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _way(self, ways: asyncio.TaskGroup, source: socket.socket, sink: socket.socket) -> None:
        pieces: Pieces = asyncio.Queue(UNDER_WAY)
        ways.create_task(self._read(source, pieces))
        ways.create_task(self._write(pieces, sink))

    async def _read(self, source: socket.socket, pieces: Pieces) -> None:
        """Note what comes, and when it is due on the other side."""
        data: bytes | None = b"-"
        while data:
            try:
                data = await self._loop.sock_recv(source, 65536)
            except OSError:
                data = None
            await pieces.put((self._loop.time() + self._late, data))

    async def _write(self, pieces: Pieces, sink: socket.socket) -> None:
        """Hand on what is due.

        :raises OSError: once a reset is due, on either side.
        """
        data: bytes | None = b"-"
        while data:
            due, data = await pieces.get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            await self._hand(data, sink)

    async def _hand(self, data: bytes | None, sink: socket.socket) -> None:
        if data is None:
            raise ConnectionResetError
        try:
            if data:
                await self._loop.sock_sendall(sink, data)
            else:
                sink.shutdown(socket.SHUT_WR)
        except OSError:
            # The sink is gone; that news has the way back before it.
            await asyncio.sleep(self._late)
            raise


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@contextmanager
def delayed(url: str, round_trip: float = ROUND_TRIP) -> Iterator[str]:
    """Return the URL of a server at a distance, for the length of a block.

    Who listens is asked at each connection: one that is refused behind it is reset in front.

    :param round_trip: seconds that it adds, half of them each way.
    """
    relay = Relay(url, round_trip)
    near = relay.start()
    try:
        yield near
    finally:
        relay.stop()
