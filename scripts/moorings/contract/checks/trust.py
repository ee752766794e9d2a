"""secure.*: what must not be there."""

from moorings.contract import wire
from moorings.contract.column import Column
from moorings.contract.outcome import claim
from moorings.contract.registry import check

#: Where a debugger or the contract's own routes would answer.
TRAPS = (
    "/_probe/counters",
    "/_probe/status/200",
    "/console",
    "/?__debugger__=yes&cmd=resource&f=debugger.js",
)

#: What only a debugger or a stack trace says.
TELLTALES = (b"Traceback (most recent call last)", b"Werkzeug Debugger", b"__debugger__")


@check(
    "secure.debug",
    proves="no debugger, no probe app, no stack traces by default",
    control="the probe app is on",
    quick=True,
)
def debug(column: Column) -> str:
    """Look where they would be, in a deployment as an operator makes it."""
    if "deploy" not in column.has:
        return _traps(column.url)
    with column.other({"server.probe": False}) as site:
        return _traps(site.url)


def _traps(url: str) -> str:
    for path in TRAPS:
        answer = wire.ask(url + path)
        script = answer.type.endswith("javascript")
        # An app may have a console of its own; the debugger's shows itself below.
        there = answer.status < 400 and (path.startswith("/_probe") or script)
        claim(not there, f"{path} is there: {answer.status}", answer)
        told = [mark for mark in TELLTALES if mark in answer.body]
        claim(not told, f"{path} shows a stack trace or a debugger", answer)
    return f"0 of {len(TRAPS)} answer"


@check(
    "secure.user",
    proves="no process of the app runs as root",
    needs=["process"],
    control="run by root",
    quick=True,
)
def user(column: Column) -> str:
    """Look at who runs what serves."""
    running = column.target.instances()
    claim(bool(running), "nothing runs")
    roots = [f"{one.role} {one.id}" for one in running if one.user == "root"]
    claim(not roots, f"run as root: {', '.join(roots)}")
    return f"0 of {len(running)} processes as root, but as {running[0].user}"
