"""Which cluster is meant: a local one is touched, any other one only where it was named."""

import ipaddress
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import click

from moorings import packages
from moorings.services import kube_refusals
from moorings.services.kubectl import ASK, Kubectl, at
from moorings.target import Need

#: How programs that make clusters on one machine name their contexts.
LOCAL = re.compile(
    r"kind-.+|minikube|k3d-.+|docker-desktop|rancher-desktop|orbstack|moorings(-.+)?"
)

#: Names that such programs have for this machine.
HERE = ("localhost", "kubernetes.docker.internal", "host.docker.internal")


@dataclass(frozen=True)
class Context:
    """A context of the operator's configuration."""

    name: str
    server: str = ""
    """Address of its API."""

    @property
    def local(self) -> bool:
        """Whether its name is that of a cluster on one machine, and its API is near."""
        return bool(LOCAL.fullmatch(self.name)) and _near(urlsplit(self.server).hostname or "")

    @property
    def kind(self) -> str:
        """Which program has made it, as far as its name says."""
        return self.name.split("-")[0]


def _near(host: str) -> bool:
    if host in HERE:
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def current(kubectl: Kubectl, wanted: str = "") -> Context | None:
    """Return the context that is in force, or one by its name; None where there is none.

    :param wanted: its name; empty: the current one.
    """
    words = ["--context", wanted] if wanted else []
    said = kubectl.ask("config", "view", "--minify", "--output", "json", *words, timeout=ASK)
    if said.status != 0:
        return None
    return of_view(said.output)


def of_view(view: str) -> Context | None:
    """Return the context of a `kubectl config view --minify`."""
    try:
        raw: Any = json.loads(view[view.find("{") :])
    except ValueError:
        return None
    name, server = raw.get("current-context"), at(raw, "clusters", 0, "cluster", "server")
    return Context(str(name), str(server or "")) if name else None


def need(context: Context | None, named: bool) -> Need:
    """Want a context that may be touched: a local one, or one that was named or agreed to."""
    if context is None and not packages.find("kubectl"):
        fact, how = kube_refusals.NO_KUBECTL
        return Need(fact, False, how)
    if context is None:
        how = "./moor cluster up, as root on Linux, or name one: --set k8s.context=NAME"
        return Need("kubectl knows no cluster", False, how)
    if context.local or named:
        return Need(f"the cluster of context {context.name}", True, "")
    what = f"context {context.name} ({context.server}) is no local cluster"
    how = f"if it is meant: --set k8s.context={context.name}, or MOOR_K8S_CONTEXT={context.name}"
    return Need(what, False, how)


def agreed(what: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Ask on a terminal; in CI nobody is asked, and nothing is touched."""
    if packages.in_ci(environ) or not sys.stdin.isatty():
        return False
    return click.confirm(f"{what}. Go on all the same?", default=False)


def answers(kubectl: Kubectl, context: str) -> Need:
    """Want an API that answers, to somebody whom it knows."""
    said = kubectl.ask("get", "--raw", "/readyz", timeout=ASK)
    if said.status == 0:
        return Need(f"the API of {context}", True, "")
    fact, how = kube_refusals.silent(said.output, context)
    return Need(fact, False, how)
