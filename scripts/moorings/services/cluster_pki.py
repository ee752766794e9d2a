"""The keys and certificates of a cluster, and what its programs log in with; made by openssl."""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from moorings import guarded
from moorings.runner import Runner
from moorings.services.cluster_plan import FIRST_SERVICE, NODE

#: A cluster is thrown away long before.
DAYS = "365"

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")

#: Who asks the API: the file's name, and who that is. Kubernetes' roles are bound to these names.
CLIENTS = {
    "admin": "/O=system:masters/CN=admin",
    "controllers": "/CN=system:kube-controller-manager",
    "kube-proxy": "/CN=system:kube-proxy",
    "kubelet": f"/O=system:nodes/CN=system:node:{NODE}",
    "scheduler": "/CN=system:kube-scheduler",
}


@dataclass(frozen=True)
class Authority:
    """Signs certificates; its files and theirs are in one folder."""

    name: str
    folder: Path
    config: Path
    runner: Runner

    def make(self) -> None:
        """Make its own key and certificate."""
        self._request(self.name, f"/CN={self.name}", "authority", ())

    def sign(self, name: str, subject: str, use: str, names: str = "DNS:none") -> None:
        """Make a key, and a certificate for it.

        :param use: the section of the configuration.
        :param names: where it is a server.
        """
        own = (f"{self.folder}/{self.name}.crt", f"{self.folder}/{self.name}.key")
        self._request(name, subject, use, ("-CA", own[0], "-CAkey", own[1]), names)

    def _request(
        self, name: str, subject: str, use: str, signer: tuple[str, ...], names: str = "DNS:none"
    ) -> None:
        self.runner.run(
            ["openssl", "req", "-x509", "-new", *KEY, "-days", DAYS, "-config", str(self.config),
             "-extensions", use, "-subj", subject, *signer,
             "-keyout", f"{self.folder}/{name}.key", "-out", f"{self.folder}/{name}.crt"],
            timeout=30,
            env={**os.environ, "NAMES": names},
            quiet=True,
        )  # fmt: skip


def make(folder: Path, config: Path, address: str, runner: Runner) -> None:
    """Make all that a cluster needs, in a folder that only its owner can read.

    :param config: of openssl.
    :param address: the node's, as the host reaches it.
    """
    folder.mkdir(mode=0o700)
    ca, front = (Authority(name, folder, config, runner) for name in ("ca", "front-ca"))
    for authority in (ca, front):
        authority.make()
    ca.sign("apiserver", "/CN=kube-apiserver", "server", server_names(address))
    ca.sign("kubelet-serving", CLIENTS["kubelet"], "server", f"DNS:{NODE},IP:{address}")
    ca.sign("apiserver-client", "/O=system:masters/CN=kube-apiserver", "client")
    front.sign("front-client", "/CN=front-client", "client")
    for name, subject in CLIENTS.items():
        ca.sign(name, subject, "client")
        log_in(folder, name, "https://127.0.0.1:6443", folder / f"{name}.conf")
    _accounts(folder, runner)


def server_names(address: str) -> str:
    """Return all by which the API is called, as openssl wants them."""
    names = ["kubernetes"]
    for part in ("default", "svc", "cluster", "local"):
        names.append(f"{names[-1]}.{part}")
    dns = [f"DNS:{name}" for name in (*names, "localhost")]
    return ",".join([*dns, *(f"IP:{ip}" for ip in ("127.0.0.1", FIRST_SERVICE, address))])


def _accounts(folder: Path, runner: Runner) -> None:
    """Make the pair of keys for the tokens of service accounts."""
    key = f"{folder}/accounts.key"
    kind = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    runner.run(["openssl", "genpkey", *kind, "-out", key], timeout=30, quiet=True)
    public = ["openssl", "pkey", "-in", key, "-pubout", "-out", f"{folder}/accounts.pub"]
    runner.run(public, timeout=30, quiet=True)


def log_in(folder: Path, client: str, server: str, file: Path) -> None:
    """Write a kubeconfig that stands alone: what it needs is in it."""
    guarded.leave(file, json.dumps(kubeconfig(folder, client, server), indent=2) + "\n", None)


def kubeconfig(folder: Path, client: str, server: str) -> Mapping[str, object]:
    """Return a kubeconfig. JSON is YAML too."""
    read = {name: base64.b64encode((folder / name).read_bytes()).decode()
            for name in ("ca.crt", f"{client}.crt", f"{client}.key")}  # fmt: skip
    user = {"client-certificate-data": read[f"{client}.crt"],
            "client-key-data": read[f"{client}.key"]}  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "moorings",
        "contexts": [{"name": "moorings", "context": {"cluster": "moorings", "user": client}}],
        "clusters": [{"name": "moorings", "cluster": {
            "server": server, "certificate-authority-data": read["ca.crt"]}}],
        "users": [{"name": client, "user": user}],
    }  # fmt: skip
