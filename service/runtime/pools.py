"""The connections of SQLAlchemy's pools, counted."""

import threading
from collections.abc import Callable
from typing import Any

from runtime import cells
from runtime.metrics import Metrics


class Pools:
    """Counts the connections of all of this process's pools, used and idle."""

    def __init__(self, metrics: Metrics) -> None:
        self._lock = threading.Lock()
        self._used = metrics.connections.labels("used")
        self._idle = metrics.connections.labels("idle")
        used, idle = cells.of_gauge(self._used), cells.of_gauge(self._idle)
        self._cells = (used, idle) if used and idle else None
        self._records: set[int] = set()

    def listen(self) -> None:
        """Hear of every connection that is opened, lent, given back or closed."""
        from sqlalchemy import event, pool

        for name, hear in self.heard():
            event.listen(pool.Pool, name, hear)

    def heard(self) -> tuple[tuple[str, Callable[..., None]], ...]:
        """Return the events of a pool, and what hears of each."""
        return (
            ("connect", self._opened),
            ("checkout", self._lent),
            ("checkin", self._returned),
            ("close", self._closed),
            ("detach", self._closed),
        )

    def _opened(self, _connection: Any, _record: Any) -> None:
        with self._lock:
            self._add(used=0, idle=1)

    def _lent(self, _connection: Any, record: Any, _fairy: Any) -> None:
        with self._lock:
            if id(record) not in self._records:
                self._records.add(id(record))
                self._add(used=1, idle=-1)

    def _returned(self, connection: Any, record: Any) -> None:
        with self._lock:
            if id(record) in self._records:
                self._records.discard(id(record))
                # One that was invalidated is given back closed: it has been counted as that.
                self._add(used=-1, idle=int(connection is not None))

    def _closed(self, _connection: Any, record: Any) -> None:
        with self._lock:
            is_lent = id(record) in self._records
            self._records.discard(id(record))
            self._add(used=-is_lent, idle=is_lent - 1)

    def _add(self, used: int, idle: int) -> None:
        """Add to both, where they lie if that is a file; the caller holds the lock."""
        if self._cells:
            cells.add((self._cells[0], used), (self._cells[1], idle))
        else:
            self._used.inc(used)
            self._idle.inc(idle)
