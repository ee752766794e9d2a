"""Which releases may answer now: the check that deploys says so, the load judges by it."""

from dataclasses import dataclass

from moorings.errors import UsageError


@dataclass
class Place:
    """How far a client or a connection has come in the order of the releases."""

    at: int = 0


class Succession:
    """The releases in the order in which they took over; one may come again, by a rollback.

    The thread of the check writes, that of the load reads: each step is one assignment.
    """

    def __init__(self, current: str = "", mixes: bool = False) -> None:
        """Begin with the release that serves now; empty: any may answer, in any order.

        :param mixes: whether one client may meet both in turn, until the newer one is alone.
        """
        self._mixes = mixes
        self._order: tuple[str, ...] = (current,)
        self.floor = 0
        """The first that may still answer a request that is sent now."""

    def begin(self, release: str) -> None:
        """Allow the next release beside the present one: the deploy begins."""
        self._order = (*self._order, release)

    def finish(self) -> None:
        """Allow only the newest, for requests sent from now on: the deploy has returned."""
        self.floor = len(self._order) - 1

    def cancel(self) -> None:
        """Take back what `begin` allowed: the deploy has failed, nobody may have seen its release.

        :raises UsageError: where no deploy is under way.
        """
        if self.floor == len(self._order) - 1:
            raise UsageError("no deploy is under way: call begin() first")
        self._order = self._order[:-1]

    def judge(self, release: str, floor: int, place: Place) -> str:
        """Return what is wrong with an answer of this release; empty: nothing.

        :param floor: the floor when its request was sent.
        :param place: how far its client has come; moves forward.
        """
        order = self._order
        if order == ("",):
            return ""
        lowest = floor if self._mixes else max(floor, place.at)
        found = next((at for at in range(lowest, len(order)) if order[at] == release), None)
        if found is not None:
            place.at = found
            return ""
        allowed = " or ".join(dict.fromkeys(order[lowest:]))
        back = " again" if release in order[: place.at] else ""
        return f"release {release or 'unnamed'}{back}, but only {allowed} may answer"
