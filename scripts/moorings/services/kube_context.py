"""Which cluster is meant: a local one is touched, any other one only where it was named."""

import json
import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

import click
import psutil

from moorings import packages
from moorings.services import kube_refusals
from moorings.services.kubectl import ASK, Kubectl, at
from moorings.target import Need

#: How programs name their contexts that make clusters on one machine, with an API on loopback.
LOCAL = re.compile(r"kind-.+|minikube|k3d-.+|docker-desktop|rancher-desktop|orbstack")

#: Contexts whose API is on a network between this host and the node, by the names of such links:
#: minikube's may be a bridge of any name, those of moor's own clusters are like no others.
LINKS = {"minikube": re.compile(".+"), "moorings": re.compile(r"moor-[0-9a-f]{8}")}

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
        """Whether its name is that of a cluster on one machine, and its API is on this one."""
        host = urlsplit(self.server).hostname or ""
        return bool(LOCAL.fullmatch(self.name) and _here(host)) or _linked(self.name, host)

    @property
    def kind(self) -> str:
        """Which program has made it, as far as its name says."""
        return self.name.split("-")[0]


def _here(host: str) -> bool:
    address = _address(host)
    # k3d names all addresses of the host: who asks there comes to this one.
    here = address is not None and (address.is_loopback or address.is_unspecified)
    return here or host in HERE


def _linked(name: str, host: str) -> bool:
    """Tell whether an address is in a network of this host that such a cluster may be on."""
    address, links = _address(host), LINKS.get(name)
    if address is None or links is None:
        return False
    return any(address in network for link, network in _networks() if links.fullmatch(link))


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _networks() -> Iterator[tuple[str, IPv4Network]]:
    """Yield the networks that this host has addresses in, with the links that lead there."""
    for link, addresses in psutil.net_if_addrs().items():
        for one in addresses:
            if one.family == socket.AF_INET and one.netmask:
                yield link, IPv4Network(f"{one.address}/{one.netmask}", strict=False)


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
