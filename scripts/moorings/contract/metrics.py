"""Reads `/metrics`: Prometheus text (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from moorings import probe
from moorings.contract import wire
from moorings.contract.outcome import claim

ACTIVE = "http_server_active_requests"
ANSWERED = "http_server_request_duration_seconds_count"
WORKERS, STARTS = "moorings_workers", "moorings_worker_starts_total"
SENT, LOST = "otel_spans_exported_total", "otel_spans_dropped_total"
WAITING = "otel_spans_waiting"
QUEUED, BACKLOG = "moorings_requests_waiting", "moorings_connections_waiting"

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Sample:
    """One line of it."""

    name: str
    labels: dict[str, str]
    value: float


def read(*urls: str) -> list[Sample]:
    """Return the samples that the parts of a deployment show now."""
    return [sample for url in urls for sample in _of(url)]


def _of(url: str) -> list[Sample]:
    answer = wire.ask(f"{url}/metrics")
    claim(answer.status == 200, f"/metrics answered {answer.status}", answer)
    return list(parse(answer.body.decode()))


def parse(text: str) -> Iterator[Sample]:
    """Yield the samples of a text; comments are left out."""
    for line in text.splitlines():
        if found := _SAMPLE.match(line):
            labels = dict(_LABEL.findall(found[2] or ""))
            yield Sample(found[1], labels, float(found[3]))


def total(samples: list[Sample], name: str, **labels: str) -> float:
    """Return the sum of the samples that have these labels."""
    wanted = labels.items()
    return sum(one.value for one in samples if one.name == name and wanted <= one.labels.items())


def active(*urls: str) -> float:
    """Return how many requests run now, over all workers."""
    return total(read(*urls), ACTIVE)


#: The route of the requests that are counted: theirs alone.
SLEEPS = "/_probe/sleep/<seconds>"

#: Seconds within which an answer is counted whose last byte has arrived.
NOTED = 5.0


def counted(*urls: str) -> float:
    """Return how many of the requests to sleep one answer of each /metrics counts."""
    return total(read(*urls), ANSWERED, http_route=SLEEPS)


def wait_for(urls: Sequence[str], sent: int) -> None:
    """Wait until so many requests to sleep are counted: their clients see the end of them first.

    :raises CheckFailed: where more are counted.
    """
    probe.until(
        lambda: True if counted(*urls) >= sent else None,
        what=f"{sent:,} requests to be counted",
        timeout=NOTED,
        last=lambda: f"{counted(*urls):,.0f} are",
    )
    found = counted(*urls)
    claim(found == sent, f"/metrics counts {found:,.0f} of {sent:,} requests")
