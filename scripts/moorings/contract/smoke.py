"""serve.ready and serve.http, as questions to a URL: a deploy asks them before its switch."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from moorings.contract import wire
from moorings.contract.outcome import CheckFailed, claim
from moorings.contract.wire import Answer, Connection
from moorings.target import Release

#: A path no app has, in two scripts and with a sign beyond 16 bits.
UNICODE = "/" + quote("größe-日本-🍏")
PROBLEM = "application/problem+json"


def prove(url: str, release: Release, server: str) -> None:
    """Ask a started release both, before clients reach it.

    :param server: the column, as `/version` names it.
    :raises CheckFailed: naming the check and what came.
    """
    with _named("serve.ready"):
        ready(url, release, server)
    with _named("serve.http"):
        http(url)


@contextmanager
def _named(check: str) -> Iterator[None]:
    try:
        yield
    except CheckFailed as refuted:
        refuted.fact = f"{check}: {refuted.fact}"
        raise


def ready(url: str, release: Release | None, server: str = "", inner: str = "") -> str:
    """See that `/readyz` is 200 and `/version` names what was deployed.

    :param release: None asks only that it names one.
    :param inner: where operators ask; empty: there as well.
    """
    answer = wire.ask(f"{inner or url}/readyz")
    claim(answer.status == 200, f"/readyz answered {answer.status}", answer)
    answer = wire.ask(f"{url}/version")
    found = document(answer)
    names = {name: str(found.get(name, "")) for name in ("release", "commit", "server")}
    if release is None:
        claim(bool(names["release"]), "/version names no release", answer)
        return f"ready, release {names['release']}"
    expected = {"release": release.version, "commit": release.commit, "server": server}
    claim(names == expected, f"/version says {names}, {expected} was deployed", answer)
    return f"ready, release {release.version}"


def http(url: str, *, probe: bool = False) -> str:
    """See that methods and framing are what HTTP/1.1 says (RFC 9110, RFC 9112).

    :param probe: whether the probe app is there to echo what arrived.
    """
    asked = [_methods(url), _head(url), _paths(url), _chunked(url, probe), _expect(url, probe)]
    return f"{sum(asked)} exchanges as the standard says"


def document(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of an answer."""
    try:
        value = json.loads(answer.body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise CheckFailed("the answer is not a JSON object", answer)
    return value


def problem(answer: Answer, status: int) -> None:
    """See that an answer is a problem document of this status (RFC 9457)."""
    claim(answer.status == status, f"{answer.status} instead of {status}", answer)
    claim(answer.type == PROBLEM, f"{status} came as {answer.type}, not as {PROBLEM}", answer)
    said = document(answer).get("status")
    claim(said == status, f"the problem document says status {said}", answer)


def _methods(url: str) -> int:
    refused = ("POST", "PUT", "DELETE", "PATCH")
    for method in refused:
        answer = wire.ask(f"{url}/healthz", method)
        problem(answer, 405)
        claim("GET" in answer.headers.get("allow", ""), "405 names no Allow", answer)
    return len(refused)


def _head(url: str) -> int:
    """HEAD has the headers of GET and no body: what comes next must be in step."""
    with Connection(url) as connection:
        head = connection.ask("HEAD", "/healthz")
        if connection.reusable:
            full = connection.ask("GET", "/healthz")
        else:
            claim(connection.closed(5), "bytes came after the answer to HEAD", head)
            full = wire.ask(f"{url}/healthz")
    claim(head.status == full.status == 200, f"HEAD {head.status}, GET {full.status}", head)
    lengths = head.headers.get("content-length"), full.headers.get("content-length")
    claim(lengths[0] in (None, lengths[1]), f"HEAD and GET differ in length: {lengths}", head)
    return 2


def _paths(url: str) -> int:
    """A path that nobody has is the client's error, in whatever bytes it is written."""
    paths = (UNICODE, f"/{quote('größe')}?q={quote('日本')}", "/%ff%fe", "/%00", "/a//b/../c")
    for path in paths:
        answer = wire.ask(url + path)
        claim(answer.status < 500, f"{path} answered {answer.status}", answer)
    return len(paths)


def pieces() -> Iterator[bytes]:
    """Yield a request body whose length is not said before."""
    for number in range(8):
        yield f"{number:04d}-größe-".encode() * 64


def _chunked(url: str, probe: bool) -> int:
    """A chunked body arrives, and what comes after it is the next request, not its rest."""
    whole = b"".join(pieces())
    with Connection(url) as connection:
        path = "/_probe/echo" if probe else "/healthz"
        answer = connection.ask("POST", path, {}, pieces())
        if probe:
            echoed(answer, whole)
        claim(answer.status < 500, f"a chunked body got {answer.status}", answer)
        if not connection.reusable:
            return 1
        after = connection.ask("GET", "/healthz")
    claim(after.status == 200, f"the request after a chunked body got {after.status}", after)
    return 2


def echoed(answer: Answer, body: bytes) -> None:
    """See that the probe app received exactly this body."""
    claim(answer.status == 200, f"echo answered {answer.status}", answer)
    said = document(answer)
    digest = hashlib.sha256(body).hexdigest()
    same = said.get("sha256") == digest
    claim(same, f"{len(body)} bytes were sent, {said.get('length')} others arrived", answer)


def _expect(url: str, probe: bool) -> int:
    """The client waits with its body until it is told to go on, or gets an answer at once."""
    body = b"after you"
    with Connection(url, timeout=5) as connection:
        path = "/_probe/echo" if probe else "/healthz"
        headers = {"Expect": "100-continue", "Content-Length": str(len(body))}
        answer = connection.read(connection.head("POST", path, headers), final=False)
        if answer.interim:
            claim(answer.interim == (100,), f"interim answers {answer.interim}", answer)
            connection.piece(body, answer)
            connection.end(answer)
            connection.read(answer)
        elif probe:
            claim(answer.status != 200, "200 before the body was sent", answer)
    if probe:
        echoed(answer, body)
    claim(answer.status < 500, f"Expect: 100-continue got {answer.status}", answer)
    return 1
