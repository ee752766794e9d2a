"""Asks every worker of a deployment, whichever answers."""

from concurrent.futures import ThreadPoolExecutor

from moorings.contract import smoke, wire
from moorings.contract.column import Column
from moorings.contract.outcome import CheckFailed
from moorings.contract.site import Site

#: How many requests at once, and in all, it may take to meet every worker.
AT_ONCE, MOST = 8, 400

Documents = dict[int, dict[str, object]]


def count(of: Column | Site) -> int:
    """Return how many workers run."""
    return sum(one.role == "worker" for one in of.target.instances())


def ask_every(url: str, workers: int) -> tuple[Documents, int]:
    """Return the newest JSON object of each worker, by pid, and how many requests it took.

    :raises CheckFailed: where some of them never answer.
    """
    found: Documents = {}
    for sent in range(AT_ONCE, MOST + 1, AT_ONCE):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = pool.map(wire.ask, [url] * AT_ONCE)
        for said in map(smoke.document, answers):
            found[int(said["pid"])] = said
        if len(found) >= workers:
            return found, sent
    raise CheckFailed(f"{len(found)} of {workers} workers answered any of {MOST} requests")
