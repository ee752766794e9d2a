"""proxy.*, secure.*: who is believed, and what must not be there."""

import re

from moorings.contract import smoke, wire
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


#: What a proxy in front says of a client, and what the app is to take it for.
SAID = {
    "X-Forwarded-For": "198.51.100.9, 203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "shop.example",
}
BELIEVED = {"remote": "203.0.113.7", "scheme": "https", "host": "shop.example"}

#: Headers of a page, by lower-case name, and a word of each.
PROTECTING = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "",
    "referrer-policy": "",
}


@check(
    "proxy.trusted",
    proves="scheme, host and client address are as the counted proxy in front says",
    needs=["probe", "deploy"],
    control="no proxy is believed",
)
def trusted(column: Column) -> str:
    """Speak as a proxy would, to an app behind one."""
    with column.other({"server.proxy_hops": 1}) as site:
        answer = wire.ask(f"{site.url}/_probe/echo", headers=SAID)
        claim(answer.status == 200, f"answered {answer.status}", answer)
        said = smoke.document(answer)
    found = {name: said.get(name) for name in BELIEVED}
    claim(found == BELIEVED, f"the app takes it for {found}, the proxy said {BELIEVED}", answer)
    return f"{len(found)} of {len(found)} as the proxy says, of two addresses the last"


@check(
    "proxy.spoofed",
    proves="the same headers straight from a client change nothing",
    needs=["probe", "deploy"],
    control="everyone is believed",
)
def spoofed(column: Column) -> str:
    """Say it without being a proxy, in each way that some server believes."""
    more = {"Forwarded": "for=203.0.113.7;proto=https;host=shop.example",
            "X-Real-IP": "203.0.113.7", "X-Forwarded-Ssl": "on", "X-Scheme": "https",
            "X-Forwarded-Prefix": "/elsewhere", "Front-End-Https": "on"}  # fmt: skip
    with column.other({"server.proxy_hops": 0}) as site:
        plain = _seen(wire.ask(f"{site.url}/_probe/echo"))
        for headers in (SAID, more, {**SAID, **more}):
            answer = wire.ask(f"{site.url}/_probe/echo", headers=headers)
            claim(_seen(answer) == plain, f"{_seen(answer)} instead of {plain}", answer)
    return f"0 of {len(SAID) + len(more)} headers change what the app sees"


def _seen(answer: wire.Answer) -> dict[str, object]:
    said = smoke.document(answer)
    return {name: said.get(name) for name in (*BELIEVED, "path")}


@check(
    "secure.headers",
    proves="nosniff, frame and referrer; no HSTS over plain HTTP; no server's version",
    needs=["store"],
    control="a gateway that forgets headers",
    quick=True,
)
def headers(column: Column) -> str:
    """Look at a page, at one that is not there, and at a static file."""
    plain = column.url.startswith("http:")
    for path in ("/", "/nobody-has-this"):
        answer = wire.ask(f"{column.url}{path}")
        for name, word in PROTECTING.items():
            value = answer.headers.get(name, "")
            claim(bool(value) and word in value, f"{path} has {name}: {value!r}", answer)
        told = answer.headers.get("strict-transport-security")
        claim(not (plain and told), f"HSTS over plain HTTP: {told}", answer)
    for path in ("/", "/static/store.css", "/healthz"):
        answer = wire.ask(f"{column.url}{path}")
        banner = " ".join(answer.headers.get(name, "") for name in ("server", "x-powered-by"))
        versioned = any(sign.isdigit() for sign in banner)
        claim(not versioned, f"{path} tells a version: {banner}", answer)
    sniffed = wire.ask(f"{column.url}/static/store.css").headers.get("x-content-type-options")
    claim(sniffed == "nosniff", f"a static file has nosniff: {sniffed}", answer)
    return f"{len(PROTECTING)} of {len(PROTECTING)} headers, no version"


@check(
    "secure.tls",
    proves="what came over TLS, as the counted proxy says, tells browsers to stay with it",
    needs=["store", "deploy"],
    control="a gateway that forgets TLS",
)
def tls(column: Column) -> str:
    """Ask for a page as the proxy in front would that ends TLS."""
    with column.other({"server.proxy_hops": 1}) as site:
        page = wire.ask(f"{site.url}/", headers=SAID)
    told = page.headers.get("strict-transport-security", "")
    found = re.search(r"max-age=(\d+)", told)
    claim(found is not None and int(found[1]) > 0, f"it has HSTS: {told!r}", page)
    return told


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
