"""Gunicorn's threaded worker, without the waits of its main thread that all clients feel."""

import logging
import socket
import time
from collections import deque
from concurrent.futures import Future
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.http.message import Request
from gunicorn.workers.gthread import TConn, ThreadWorker

from runtime import deadline
from runtime.servers.pool import Pool

# How long a client may take to close its side (RFC 9112, section 9.6), as in Gunicorn.
_PARTING_SECONDS = 2.0
_PIECE = 4096
_log = logging.getLogger("runtime")


class Worker(ThreadWorker):
    """Parts from clients beside its work: Gunicorn waits for each of them, up to 2 s.

    While a drain is announced every answer is a parting, at the distance of the client.
    """

    tpool: Pool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parting: deque[tuple[float, TConn]] = deque()

    def get_thread_pool(self) -> Pool:
        return Pool(self.cfg.threads)

    def handle_request(self, req: Request, conn: TConn) -> bool:
        try:
            return super().handle_request(req, conn)
        except deadline.Exceeded:
            _log.warning("a request that was cut at its deadline was here", exc_info=True)
            return False

    def retire(self, lost: int) -> bool:
        """Take no more connections; returns whether none is left but those of `lost` threads."""
        self.tpool.replace(lost)
        # While it is told it may take one more.
        told = not self.alive
        self.handle_exit(0, None)
        return told and self.nr_conns <= lost

    def _cap_keepalive(self, deadline: float) -> None:
        """Keep idle connections for their whole time: their clients are answered once more.

        Gunicorn closes them after 2 s of a stop, just when some clients write.
        """

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
            if self.keepalived_conns and self.keepalived_conns[-1] is conn:
                conn.set_timeout()
        else:
            self._part(conn)

    def _part(self, conn: TConn) -> None:
        """Close our side, and keep theirs open: a reset would take the answer with it."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
        except OSError:
            self._forget(conn)
            return
        parting = (time.monotonic() + _PARTING_SECONDS, conn)
        self._parting.append(parting)
        self.poller.register(conn.sock, EVENT_READ, partial(self._read_away, parting))

    def _read_away(self, parting: tuple[float, TConn], _client: Any) -> None:
        try:
            left = parting[1].sock.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            left = b""
        if not left:
            self._part_for_good(parting)

    def murder_pending(self) -> None:
        super().murder_pending()
        while self._parting and self._parting[0][0] <= time.monotonic():
            self._part_for_good(self._parting[0])

    def _part_for_good(self, parting: tuple[float, TConn]) -> None:
        self._parting.remove(parting)
        self.poller.unregister(parting[1].sock)
        self._forget(parting[1])

    def _forget(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()
