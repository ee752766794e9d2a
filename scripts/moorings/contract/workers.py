"""Asks every worker of a deployment, whichever answers."""

import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from moorings.contract import smoke, wire
from moorings.contract.column import Column
from moorings.contract.outcome import CheckFailed
from moorings.contract.site import Site

#: How many requests at once, and in all, it may take to meet every worker.
AT_ONCE, MOST = 8, 400

Documents = dict[str, dict[str, object]]


def numbers(of: Column | Site) -> dict[int, str]:
    """Return each worker's number on this host, and what it takes itself for."""
    found = (one for one in of.target.instances() if one.role == "worker")
    here = socket.gethostname()
    return {int(one.id): one.own_id or f"{here}/{one.id}" for one in found}


def who(said: Mapping[str, object]) -> str:
    """Return what the worker that has said this takes itself for."""
    return f"{said['hostname']}/{said['pid']}"


def count(of: Column | Site) -> int:
    """Return how many workers run."""
    return len(numbers(of))


def ask_every(url: str, workers: int) -> tuple[Documents, int]:
    """Return the newest JSON object of each worker, by `who`, and how many requests it took.

    :raises CheckFailed: where some of them never answer.
    """
    found: Documents = {}
    for sent in range(AT_ONCE, MOST + 1, AT_ONCE):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = pool.map(wire.ask, [url] * AT_ONCE)
        for said in map(smoke.document, answers):
            found[who(said)] = said
        if len(found) >= workers:
            return found, sent
    raise CheckFailed(f"{len(found)} of {workers} workers answered any of {MOST} requests")
