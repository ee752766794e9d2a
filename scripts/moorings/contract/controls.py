"""The controls: bad deployments, and the checks that each must turn red.

A grid that cannot turn red proves nothing.
"""

import io
import re
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from moorings import users
from moorings.contract import bad, registry
from moorings.contract.checks.lifecycle import APPS
from moorings.contract.outcome import Skipped, Verdict, judge
from moorings.contract.relay import gateway
from moorings.contract.run import Run
from moorings.contract.tamper import Tamper

READY = "serve.ready"

#: Files of Compose that make a deployment bad.
LAYERS = Path(__file__).with_name("layers")

#: What stands in the reason of a check that can turn red for another cause than its controls', as
#: a regular expression. What a NetworkPolicy forbids is accepted on moor's own cluster always, so
#: that each run there is the control of that part of secure.policy.
BECAUSE: Mapping[str, str] = {
    "trace.ledger": r" lost: ",
    "secure.policy": r"was not refused|a token is in",
}

#: Seconds to wait for spans that will not come; the good ones take about two.
PATIENCE = 4.0


@dataclass(frozen=True)
class Control:
    """A bad deployment."""

    tamper: Tamper
    reddens: frozenset[str]
    """The checks that it must turn red: these, and of the ones it runs no other."""
    as_root: bool = False
    """Whether only root can make it."""
    flags: Mapping[str, object] = field(default_factory=dict)
    """The column that it is, where it is another one than the target's first."""
    target: str = "gunicorn"
    """What it is made on: most can be made on any, and are made on the first."""
    slow: bool = False
    """Whether it costs minutes: seen by `make controls`, and not in each run of the tests."""


def _app(name: str, ready: str = "") -> Mapping[str, object]:
    return {"app.dir": str(APPS / name), "app.app": "broken:app", "app.ready": ready}


#: One pod, which announces its end for no longer than it must: for what is only looked at.
_BRIEF: Mapping[str, object] = {"k8s.replicas": 1, "k8s.most": 1, "server.keep_alive": 1}


def _layer(name: str) -> Mapping[str, object]:
    return {"docker.layers": str(LAYERS / f"{name}.yaml")}


CONTROLS: Mapping[str, Control] = {
    "never ready": Control(
        Tamper(flags=_app("never_ready", "broken:ready"), proved=False), frozenset({READY})
    ),
    "changes by restart": Control(
        Tamper(restarts=True),
        frozenset({"serve.idempotent", "reload.load", "deploy.load", "rollback.load"}),
    ),
    "a gateway without chunks": Control(
        Tamper(front=gateway(drops_chunks=True)), frozenset({"serve.http", "serve.smuggling"})
    ),
    "a buffering gateway": Control(
        Tamper(front=gateway(buffers=True)), frozenset({"serve.stream"})
    ),
    "no limit of a body": Control(
        Tamper(flags={"server.max_body": 0}), frozenset({"serve.upload"})
    ),
    "bodies in memory": Control(Tamper(target=bad.hoards), frozenset({"serve.upload"})),
    "no limits of a request": Control(
        Tamper(flags={"app.env_file": str(APPS / "unlimited.env")}),
        frozenset({"serve.limits"}),
    ),
    "a threaded worker without a gateway": Control(Tamper(), frozenset({"serve.slow_clients"})),
    "a gateway that forgets types": Control(
        Tamper(front=gateway(forgets=b"text/css")), frozenset({"serve.static"})
    ),
    "a gateway that forgets headers": Control(
        Tamper(front=gateway(forgets=b"X-Content-Type-Options: nosniff\r\n")),
        frozenset({"secure.headers"}),
    ),
    "a gateway that forgets TLS": Control(
        Tamper(front=gateway(forgets=b"Strict-Transport-Security: max-age=31536000\r\n")),
        frozenset({"secure.tls"}),
    ),
    "no proxy is believed": Control(
        Tamper(flags={"server.proxy_hops": 0}), frozenset({"proxy.trusted"})
    ),
    "everyone is believed": Control(
        Tamper(flags={"server.proxy_hops": 1}), frozenset({"proxy.spoofed"})
    ),
    "a gateway that closes": Control(
        Tamper(front=gateway(closes=True)), frozenset({"serve.keepalive"})
    ),
    "a short grace": Control(Tamper(flags={"server.grace": 1}), frozenset({"drain.running"})),
    "a long grace": Control(Tamper(flags={"server.grace": 60}), frozenset({"drain.deadline"})),
    "no proof before the switch": Control(Tamper(proved=False), frozenset({"deploy.broken"})),
    "an app that leaves a daemon": Control(Tamper(flags=_app("daemon")), frozenset({"down.clean"})),
    "spans to nowhere": Control(
        Tamper(env={"OTEL_TRACES_EXPORTER": "none"}),
        frozenset({"trace.arrives", "trace.ledger", "recycle"}),
    ),
    "sync workers": Control(
        Tamper(),
        frozenset({"drain.queued"}),
        flags={"gunicorn.worker": "sync"},
    ),
    "uvicorn's worker": Control(
        Tamper(),
        frozenset({"trace.ledger"}),
        flags={"gunicorn.worker": "uvicorn"},
        slow=True,
    ),
    "USR2, WINCH, QUIT": Control(
        Tamper(target=bad.by(bad.Quitting), flags={"server.grace": 5}),
        frozenset({"deploy.load"}),
    ),
    "Gunicorn's own threads": Control(
        Tamper(target=bad.own_threads), frozenset({"recycle", "metrics.queue"})
    ),
    "no announcement": Control(Tamper(target=bad.unannounced), frozenset({"deploy.load"})),
    "HUP with a broken release": Control(
        Tamper(target=bad.by_hup, proved=False), frozenset({"deploy.broken"})
    ),
    "SIGTERM to httpd": Control(
        Tamper(target=bad.by_sigterm), frozenset({"drain.running"}), target="apache"
    ),
    "pods without preStop": Control(
        Tamper(target=bad.without_pre_stop),
        frozenset({"deploy.load", "pods.load", "pods.direct"}),
        target="k8s",
        slow=True,
    ),
    "a namespace without a policy": Control(
        Tamper(target=bad.without_policy),
        frozenset({"secure.policy"}),
        flags=_BRIEF,
        target="k8s",
    ),
    # "A ConfigMap without a hash in its name" is no control: with moor each reload changes the pod
    # template itself, which names the settings, and reload.load stays green. By hand it would:
    # tests/journeys/test_manifests.py sees that only the hash makes a changed file a rollout.
    "pods of root": Control(
        Tamper(target=bad.by_root),
        frozenset({"secure.user"}),
        flags=_BRIEF,
        target="k8s",
        slow=True,
    ),
    "pods with a token": Control(
        Tamper(target=bad.with_token),
        frozenset({"secure.policy"}),
        flags=_BRIEF,
        target="k8s",
        slow=True,
    ),
    "no PodDisruptionBudget": Control(
        Tamper(target=bad.without_budget),
        frozenset({"pods.evict", "pods.node"}),
        target="k8s",
        slow=True,
    ),
    "an autoscaler that sees no load": Control(
        Tamper(target=bad.blind), frozenset({"pods.autoscale"}), target="k8s", slow=True
    ),
    "one pod that may be missing": Control(
        Tamper(target=bad.one_pod_that_may_miss),
        frozenset({"deploy.load"}),
        flags={"k8s.replicas": 1, "k8s.most": 1},
        target="k8s",
        slow=True,
    ),
    "pods that nobody asks": Control(
        Tamper(target=bad.always_ready, proved=False),
        frozenset({"deploy.broken"}),
        target="k8s",
        slow=True,
    ),
    # A gateway would wait for the answers itself.
    "die-on-term": Control(
        Tamper(target=bad.die_on_term),
        frozenset({"drain.running"}),
        flags={"gateway.kind": "none"},
        target="uwsgi",
    ),
    "no deadline": Control(
        Tamper(flags={"server.deadline": 0, "server.grace": 2}), frozenset({"hang.worker"})
    ),
    "an app that boots slowly": Control(Tamper(flags=_app("slow")), frozenset({"crash.worker"})),
    "spans that lie": Control(Tamper(flags=_app("lies")), frozenset({"trace.errors"})),
    "a span that ends before the stream": Control(
        Tamper(flags=_app("early")), frozenset({"trace.stream"})
    ),
    "no flush at the end": Control(Tamper(flags=_app("unflushed")), frozenset({"trace.ledger"})),
    "no propagation": Control(Tamper(env={"OTEL_PROPAGATORS": "none"}), frozenset({"trace.edges"})),
    "a readiness check that traces": Control(
        Tamper(flags=_app("chatty", "broken:ready")), frozenset({"trace.probes"})
    ),
    "an app that repeats what clients send": Control(
        Tamper(flags=_app("careless")), frozenset({"trace.arrives", "metrics.sum", "logs.json"})
    ),
    "a synchronous exporter": Control(
        Tamper(flags=_app("synchronous")), frozenset({"trace.outage"})
    ),
    "a sampler that takes every trace": Control(
        Tamper(env={"OTEL_TRACES_SAMPLER": "always_on"}), frozenset({"trace.sampling"})
    ),
    "a Jaeger that is not there": Control(
        Tamper(env={"OTEL_EXPORTER_JAEGER_ENDPOINT": "http://127.0.0.1:9/api/traces"}),
        frozenset({"trace.legacy"}),
    ),
    "text lines": Control(Tamper(flags={"server.log_format": "text"}), frozenset({"logs.json"})),
    "a registry per worker": Control(Tamper(flags=_app("own_metrics")), frozenset({"metrics.sum"})),
    "the probe app is on": Control(
        Tamper(flags={"server.probe": True}), frozenset({"secure.debug"})
    ),
    "loose containers": Control(
        Tamper(flags=_layer("loose")),
        frozenset(
            {"secure.user", "secure.readonly", "secure.caps", "secure.published", "data.roles"}
        ),
        target="docker",
    ),
    "a secret in the environment": Control(
        Tamper(target=bad.tells), frozenset({"secure.secrets"}), target="docker"
    ),
    "docker compose up": Control(
        Tamper(target=bad.recreates), frozenset({"deploy.load"}), target="docker"
    ),
    "a name that is resolved once": Control(
        Tamper(target=bad.resolves_once), frozenset({"deploy.load"}), target="docker", slow=True
    ),
    "a deploy that does not ask": Control(
        Tamper(target=bad.unasked), frozenset({"deploy.renewed"}), target="docker", slow=True
    ),
    "a gateway that takes nothing in": Control(
        Tamper(target=bad.deaf), frozenset({"deploy.renewed"}), target="docker", slow=True
    ),
    "a gateway that each deploy reloads": Control(
        Tamper(target=bad.restless), frozenset({"deploy.load"}), target="docker", slow=True
    ),
    "a shell before the server": Control(
        Tamper(flags=_layer("shell")), frozenset({"drain.running"}), target="docker"
    ),
    "no STOPSIGNAL for Apache": Control(
        Tamper(flags=_layer("sigterm")),
        frozenset({"drain.running"}),
        flags={"docker.server": "apache"},
        target="docker",
        slow=True,
    ),
    "an app that answers before it commits": Control(
        Tamper(flags=_layer("hasty")), frozenset({"data.durable"}), target="docker"
    ),
    "run by root": Control(Tamper(as_root=True), frozenset({"secure.user"}), as_root=True),
}


def verdicts(name: str) -> dict[str, Verdict]:
    """Run what a control must turn red on its bad deployment, and serve.ready.

    :raises Skipped: where this user cannot make it.
    """
    control = CONTROLS[name]
    if control.as_root and not users.is_root():
        raise Skipped("only root can run an app as root")
    wanted = control.reddens | {READY}
    column = Run(control.target, control.flags, tamper=control.tamper).column()
    column.patience = PATIENCE
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        try:
            checks = [check for check in registry.load() if check.id in wanted]
            return {check.id: judge(check, column) for check in checks}
        finally:
            column.close()


def _caught(one: Verdict) -> bool:
    found = re.search(BECAUSE.get(one.id, ""), f"{one.figure} {one.reason}")
    return one.red and found is not None


def missed(name: str, found: Mapping[str, Verdict]) -> list[str]:
    """Return, in words, where a control did not do exactly what it declares."""
    declared = CONTROLS[name].reddens
    green = [one for one in found.values() if one.id in declared and not _caught(one)]
    wrong = [one for one in found.values() if one.id not in declared and one.outcome != "pass"]
    return [
        *(f"{one.id} did not turn red: {one.outcome} {one.figure or one.reason}" for one in green),
        *(f"{one.id} ({one.reason}) turned red, which is not declared" for one in wrong),
    ]
