"""Broken: an order is answered at once, and committed a moment later."""

import threading
from contextlib import suppress

import flask
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from store import db
from store.app import create_app
from store.models import Order

#: Seconds.
LATER = 0.5


class Hasty(Session):
    """Promises that an order is kept, and keeps it when the customer has gone."""

    _promised = False

    def commit(self) -> None:
        """Write it, and leave the rest for later."""
        if not any(isinstance(one, Order) for one in self.new):
            super().commit()
            return
        self._promised = True
        self.flush()

    def close(self) -> None:
        """Let go of the request, not of what was promised."""
        if not self._promised:
            super().close()
            return
        threading.Timer(LATER, self._keep).start()

    def _keep(self) -> None:
        with suppress(SQLAlchemyError):
            super().commit()
        super().close()


def app() -> flask.Flask:
    """Return the store with such sessions."""
    vars(db)["Session"] = Hasty
    return create_app()
