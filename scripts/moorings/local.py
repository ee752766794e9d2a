"""`deploy --local`: the app, a Jaeger, a tour through the one and its trace in the other."""

import time

from moorings import report, service, tour, ui
from moorings.deployment import Deployment
from moorings.tracing import Traces

#: Seconds within which the spans of the tour must be in Jaeger.
TRACE_DEADLINE = 20.0


def deploy(made: Deployment) -> None:
    """Bring up both, the app first: it answers while a Jaeger may still have to be built."""
    began = time.monotonic()
    ui.say(f"Traces: {made.jaeger.source.sentence}")
    made.jaeger.plan()
    with made.jaeger.building():
        report.deployed(made, made.deploy())
        made.jaeger.start()
    if made.context.runner.dry:
        return
    walk = _walk(made)
    _show_trace(made, walk.trace_id)
    report.addresses(made)
    ui.good(f"done in {time.monotonic() - began:.0f} s; `make down` removes it and keeps the data")


def _walk(made: Deployment) -> tour.Walk:
    url = made.target.endpoints().app
    walk = tour.store(url) if service.is_sample(made.settings) else tour.any_app(url)
    ui.say("Tour", style="bold")
    for step in walk.steps:
        ui.good(step)
    if walk.odd:
        ui.warn(walk.odd)
    return walk


def _show_trace(made: Deployment, trace_id: str) -> None:
    if not made.jaeger.query_url:
        ui.warn(made.jaeger.why_no_trace)
        return
    off = service.traces_off(made.settings)
    if off or not trace_id:
        ui.warn(f"no trace is shown: {off or 'the app answered without a trace id'}")
        return
    with ui.working("Waiting for the trace"):
        trace = Traces(made.jaeger.query_url).wait_for(trace_id, timeout=TRACE_DEADLINE)
    report.trace(made, trace)
